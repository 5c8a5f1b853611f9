/**
 * Core: finding a name while it is typed, in Korean too: by initial consonants, and by a syllable that is not finished.
 * @module
 */

/** Unicode's Hangul syllables are 19 initials of 21 vowels of 28 finals, in that order. */
const SYLLABLE_FIRST = 0xac00;
const SYLLABLE_LAST = 0xd7a3;
const FINALS = 28;
const SYLLABLES_OF_INITIAL = 21 * FINALS;
/** The initials as a keyboard types them alone (compatibility jamo), in the order of the syllables. */
const INITIALS = [
  0x3131, 0x3132, 0x3134, 0x3137, 0x3138, 0x3139, 0x3141, 0x3142, 0x3143, 0x3145,
  0x3146, 0x3147, 0x3148, 0x3149, 0x314a, 0x314b, 0x314c, 0x314d, 0x314e,
];

/**
 * Whether `text` holds `query`. Case, spaces and the way a letter is composed do not matter.
 * @param {string} text
 * @param {string} query
 */
export function holds(text, query) {
  const where = letters(text);
  const what = letters(query);
  for (let from = 0; from + what.length <= where.length; from += 1) {
    if (what.every((letter, at) => stands(letter, where[from + at] ?? 0, at === what.length - 1))) return true;
  }
  return false;
}

/** @param {string} text */
function letters(text) {
  return [...text.normalize("NFC").toLowerCase().replace(/\s+/gu, "")].map((letter) => letter.codePointAt(0) ?? 0);
}

/** @param {number} typed @param {number} found @param {boolean} last it may still be in the making */
function stands(typed, found, last) {
  if (typed === found) return true;
  if (found < SYLLABLE_FIRST || found > SYLLABLE_LAST) return false;
  const index = found - SYLLABLE_FIRST;
  if (typed === INITIALS[Math.floor(index / SYLLABLES_OF_INITIAL)]) return true;
  // A syllable without a final, at the end of what is typed, is any syllable that begins so.
  return last && typed === found - (index % FINALS);
}
