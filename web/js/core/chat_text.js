/**
 * Core: what a person typed as one chat line.
 * @module
 */

/** The room's own limit (PROTOCOL.md, chat.say): said here before the server has to. */
export const CHARACTERS_MAX = 500;
/** From here on the composer shows how many are left. */
export const CHARACTERS_WARN = 400;

/**
 * One line of text, counted as the server counts: in code points, so that an emoji is not two.
 * @param {string} typed
 * @returns {{ text: string, left: number, fits: boolean }} `fits` is false for nothing and for too much
 */
export function chatLine(typed) {
  const text = typed.replace(/\s+/g, " ").trim();
  const left = CHARACTERS_MAX - [...text].length;
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
