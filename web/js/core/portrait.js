/**
 * Core: a cat's face for a name: always the same for the same name, until there is a picture.
 * @module
 */

/** Coats, as hue, saturation and lightness of fur and of its markings; every one readable on light and dark. */
const COATS = Object.freeze([
  { fur: "hsl(28 72% 62%)", mark: "hsl(22 66% 50%)" },
  { fur: "hsl(36 34% 82%)", mark: "hsl(28 32% 66%)" },
  { fur: "hsl(220 10% 58%)", mark: "hsl(222 12% 44%)" },
  { fur: "hsl(24 22% 40%)", mark: "hsl(24 26% 29%)" },
  { fur: "hsl(210 16% 74%)", mark: "hsl(214 14% 58%)" },
  { fur: "hsl(32 52% 74%)", mark: "hsl(14 38% 46%)" },
]);
/** Eyes. */
const EYES = Object.freeze(["hsl(150 40% 32%)", "hsl(44 80% 40%)", "hsl(204 55% 38%)", "hsl(28 20% 20%)"]);
const MARKINGS = Object.freeze(/** @type {const} */ (["plain", "tabby", "patch", "mask"]));
/** Grounds behind the face: calm, dark enough for the face to stand out in both themes. */
const GROUND_HUES = Object.freeze([26, 48, 160, 200, 226, 262, 330]);

/**
 * @typedef {object} Portrait
 * @property {string} ground the picture's own background colour
 * @property {string} glow a lighter colour of the same hue
 * @property {string} fur
 * @property {string} mark
 * @property {string} eye
 * @property {"plain" | "tabby" | "patch" | "mask"} marking
 */

/** @param {string} name @returns {Portrait} */
export function portrait(name) {
  let bits = hash(name.normalize("NFC"));
  /** @template T @param {readonly T[]} choices @returns {T} */
  const pick = (choices) => {
    const choice = /** @type {T} */ (choices[bits % choices.length]);
    bits = hash(`${bits}`);
    return choice;
  };
  const coat = pick(COATS);
  const hue = pick(GROUND_HUES);
  return {
    ground: `hsl(${hue} 24% 20%)`,
    glow: `hsl(${hue} 30% 34%)`,
    fur: coat.fur,
    mark: coat.mark,
    eye: pick(EYES),
    marking: pick(MARKINGS),
  };
}

/**
 * Which of the eight colours of the chat a name is written in.
 * @param {string} name
 */
export function nameColour(name) {
  return hash(name.normalize("NFC")) % 8;
}

/** FNV-1a over UTF-16 units, 32 bits. @param {string} text */
function hash(text) {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193) >>> 0;
  }
  return value;
}
