/**
 * Core: tags as a person writes them in one field: between commas, each once, a number sign is decoration.
 * @module
 */

/** @param {string} text @returns {string[]} */
export function tagsOf(text) {
  const tags = text.split(/[,\uff0c\u3001\n]/u).map((tag) => tag.trim().replace(/^#+\s*/u, ""));
  return [...new Set(tags.filter((tag) => tag !== ""))];
}
