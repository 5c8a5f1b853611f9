/**
 * Core: words that a channel does not want, as they are typed: one a line, or parted by commas.
 * @module
 */

/** The house's own bounds (db/conduct.py). */
export const WORDS_MAX = 200;
export const WORD_CHARACTERS_MAX = 50;

/** @param {string} text @returns {string[]} each once, in the order they were typed */
export function wordsOf(text) {
  const words = text.normalize("NFC").split(/[\n,]/).map((word) => word.replace(/\s+/g, " ").replace(/[\p{Cc}\p{Cs}]+/gu, "").trim());
  return [...new Set(words.filter((word) => word !== ""))];
}

/** @param {readonly string[]} words @returns {{ key: string, vars: Record<string, string | number> } | null} what is wrong, as words of the catalogue */
export function faultOf(words) {
  if (words.length > WORDS_MAX) return { key: "rules.words_too_many", vars: { count: WORDS_MAX } };
  const long = words.find((word) => [...word].length > WORD_CHARACTERS_MAX);
  return long === undefined ? null : { key: "rules.word_too_long", vars: { word: `${[...long].slice(0, 12).join("")}\u2026`, count: WORD_CHARACTERS_MAX } };
}
