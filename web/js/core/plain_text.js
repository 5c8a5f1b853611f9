/**
 * Core: a line without what would turn its direction or hide in it, and nothing where nothing would be seen.
 *
 * The two joiners are spelling, of an emoji too; so are the tag letters of the three flags that Unicode recommends
 * (England's, Scotland's, Wales'). The house refuses the rest (db/plain_text.py): controls and halves of a character too.
 * @module
 */

const TAG = 0xe0000;
/** A black flag, the place in tag letters, and the tag that ends them; else what is to be taken out. */
const FOUND = new RegExp(
  `(${["gbeng", "gbsct", "gbwls"].map((place) => `\\u{1f3f4}${[...place].map(tagLetter).join("")}\\u{e007f}`).join("|")})|(?![\\u200c\\u200d\\t\\n\\v\\f\\r])[\\p{Cf}\\p{Cc}\\p{Cs}]`,
  "gu",
);

/** What is seen: not the blanks that Unicode counts among letters and symbols (Hangul fillers, empty Braille). */
const SEEN = /(?![\u115f\u1160\u2800\u3164\uffa0])[\p{L}\p{N}\p{P}\p{S}]/u;

/** @param {string} letter */
function tagLetter(letter) {
  return String.fromCodePoint(TAG + (letter.codePointAt(0) ?? 0));
}

/** @param {string} typed @returns {string} as the house will take it, if it is not too long */
export function plain(typed) {
  const line = typed.replace(FOUND, "$1").replace(/\s+/g, " ").trim();
  return SEEN.test(line) ? line : "";
}
