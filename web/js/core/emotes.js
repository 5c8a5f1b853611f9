/**
 * Core: where a line's text has the codes of pictures: `:code:`.
 * @module
 */

/** @typedef {{ code: string, url: string, width: number, height: number, house: boolean }} Emote */
/** @typedef {ReadonlyMap<string, Emote>} Emotes by their codes */
/** @typedef {(text: string) => (string | Emote)[]} Split a text in the order it is read */

/** Pictures in one line; the rest stays text. A line of nothing else would be a wall of them. */
export const EMOTES_IN_A_LINE_MAX = 20;

/** a-z, 0-9, _ and Hangul syllables (PROTOCOL.md, Emotes). */
const CODE = /:([a-z0-9_\uac00-\ud7a3]{2,20}):/g;

/**
 * A text in the order it is read: words as they are, and pictures for the codes that are known.
 * @param {string} text
 * @param {Emotes} emotes
 * @returns {(string | Emote)[]}
 */
export function pieces(text, emotes) {
  if (emotes.size === 0 || !text.includes(":")) return [text];
  /** @type {(string | Emote)[]} */
  const found = [];
  let from = 0;
  let pictures = 0;
  CODE.lastIndex = 0;
  for (let match = CODE.exec(text); match !== null && pictures < EMOTES_IN_A_LINE_MAX; match = CODE.exec(text)) {
    const emote = emotes.get(match[1] ?? "");
    if (emote === undefined) {
      CODE.lastIndex -= 1; // The colon that ends what is none may begin one.
      continue;
    }
    if (match.index > from) found.push(text.slice(from, match.index));
    found.push(emote);
    from = CODE.lastIndex;
    pictures += 1;
  }
  if (from < text.length) found.push(text.slice(from));
  return found;
}

/** What a code is once it is picked: apart from the words around it. @param {string} before what stands before it @param {string} code */
export function picked(before, code) {
  return `${before === "" || /\s$/.test(before) ? "" : " "}:${code}: `;
}
