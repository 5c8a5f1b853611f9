/**
 * Core: what a person typed as one chat line.
 * @module
 */

/** The room's own limit (PROTOCOL.md, chat.say): said here before the server has to. */
export const CHARACTERS_MAX = 500;
/** And its bound on what one "character" may be made of, as code points of the whole line. */
const CODE_POINTS_MAX = 2_000;
/** From here on the composer shows how many are left. */
export const CHARACTERS_WARN = 400;

const characters = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/**
 * One line of text, counted as the server counts: as a reader does, so that a family of four is one.
 * @param {string} typed
 * @returns {{ text: string, left: number, fits: boolean }} `fits` is false for nothing and for too much
 */
export function chatLine(typed) {
  // Controls and halves of a character are no text, and no JSON that the house would read.
  const text = typed.replace(/\s+/g, " ").replace(/[\p{Cc}\p{Cs}]+/gu, "").trim();
  const points = [...text].length;
  const left = points > CODE_POINTS_MAX ? CODE_POINTS_MAX - points : CHARACTERS_MAX - [...characters.segment(text)].length;
  return { text, left, fits: text !== "" && left >= 0 };
}

/**
 * Does this text speak to that member? "@name" up to something that cannot be part of a name.
 * @param {string} text
 * @param {string | null} nickname
 */
export function mentions(text, nickname) {
  if (nickname === null || nickname === "") return false;
  const folded = text.toLocaleLowerCase();
  const name = `@${nickname.toLocaleLowerCase()}`;
  for (let at = folded.indexOf(name); at >= 0; at = folded.indexOf(name, at + 1)) {
    // Korean particles follow a name without a space ("@mia" and a particle as one word), so only Latin letters and digits continue a name.
    if (!/[a-z0-9_]/.test(folded.charAt(at + name.length))) return true;
  }
  return false;
}
