/**
 * Shell: what somebody has typed and not sent: kept by the tab, so that no login that ended takes it along.
 * @module
 */

import { read, written } from "../core/unsent.js";
import { keep, kept } from "./storage.js";

/** @param {string} place @returns {string} "" when nothing was kept */
export function keptDraft(place) {
  return kept(`commeow.draft.${place}`, { tab: true }) ?? "";
}

/** @param {string} place @param {string} text "" forgets it */
export function keepDraft(place, text) {
  keep(`commeow.draft.${place}`, text === "" ? null : text, { tab: true });
}

/** What stood in a field, also when it was emptied. @param {string} place @returns {string | null} null when nothing was kept */
export function keptField(place) {
  return kept(`commeow.field.${place}`, { tab: true });
}

/** @param {string} place @param {string | null} value null forgets it */
export function keepField(place, value) {
  keep(`commeow.field.${place}`, value, { tab: true });
}

/** Lines that were sent and not said: those that are on their way, and those that were refused. @param {string} place */
export function keptLines(place) {
  return read(kept(`commeow.unsent.${place}`, { tab: true }) ?? "");
}

/** @param {string} place @param {readonly import("../core/chat_log.js").Draft[]} drafts */
export function keepLines(place, drafts) {
  keep(`commeow.unsent.${place}`, written(drafts) || null, { tab: true });
}
