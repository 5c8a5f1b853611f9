/**
 * Core: lines of one's own that are not said yet, as the tab keeps them over a reload or a login that ended.
 * @module
 */

import { DRAFTS_MAX } from "./chat_log.js";

/** @typedef {import("./chat_log.js").Draft} Draft */

/** @param {readonly Draft[]} drafts @returns {string} "" when there are none */
export function written(drafts) {
  return drafts.length === 0 ? "" : JSON.stringify(drafts.map(({ id, text, code }) => ({ id, text, code })));
}

/**
 * Of a line that was on its way nobody knows whether it was said: the room's echo clears it, or its writer decides.
 * @param {string} kept
 * @returns {Draft[]} none of what is not ours
 */
export function read(kept) {
  /** @type {unknown} */
  let drafts;
  try {
    drafts = JSON.parse(kept);
  } catch {
    return [];
  }
  if (!Array.isArray(drafts)) return [];
  return drafts
    .filter((draft) => typeof draft?.id === "string" && typeof draft.text === "string")
    .map(({ id, text, code }) => ({ id, text, code: typeof code === "string" ? code : "wire.lost", retryAfterMs: 0 }))
    .slice(-DRAFTS_MAX);
}
