/**
 * Shell: what somebody has typed and not sent: kept by the tab, so that no login that ended takes it along.
 * @module
 */

import { keep, kept } from "./storage.js";

/** @param {string} place @returns {string} "" when nothing was kept */
export function keptDraft(place) {
  return kept(`commeow.draft.${place}`, { tab: true }) ?? "";
}

/** @param {string} place @param {string} text "" forgets it */
export function keepDraft(place, text) {
  keep(`commeow.draft.${place}`, text === "" ? null : text, { tab: true });
}
