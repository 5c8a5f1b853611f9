/**
 * Core: how much to ask of the server: exactly what was drawn, in a window that follows the drawing's cost.
 *
 * The viewer's own drawing sets the sending: nothing drawn, nothing asked, nothing sent.
 * @module
 */

import { LINES_MAX } from "./chat_log.js";

/** One draw each 80 ms: drawing at every frame draws half as many lines in the same time (measured). */
export const BEAT_MS = 80;
/** Enough for the first screen on any phone. */
export const WINDOW_START = 32;
/** Below this a round trip costs more than the drawing. */
export const WINDOW_MIN = 8;
/** More rows than are kept would be drawn for nobody. */
export const WINDOW_MAX = LINES_MAX;
/** Events to be late by; then the newest come. A fifth of a second of 500 lines a second. */
export const BEHIND_MAX = 100;
/** How fast the window opens again after a slow moment. */
export const WINDOW_STEP = 8;
/** A draw that takes more of the time than this, to its paint, leaves too little for typing. */
export const COST_SHARE_MAX = 0.5;
/** A batch that fills this much of the window says that the room is faster than the window. */
export const FULL_SHARE = 0.8;

/** @typedef {{ window: number, owed: number }} Credit `owed` is negative while a smaller window is still being paid off */

/** @returns {Credit} The caller asks for `window` events when it opens the stream. */
export function startCredit() {
  return { window: WINDOW_START, owed: 0 };
}

/**
 * One draw happened: `taken` events were consumed in `costMs`, `sinceMs` after the draw before.
 * @param {Credit} credit
 * @param {{ taken: number, costMs: number, sinceMs: number, most?: number }} draw `most`: what the window may be now
 * @returns {{ credit: Credit, ask: number }} The caller requests `ask` more events when it is above 0.
 */
export function drawn(credit, { taken, costMs, sinceMs, most = WINDOW_MAX }) {
  let window = credit.window;
  if (costMs > COST_SHARE_MAX * sinceMs) window = Math.max(WINDOW_MIN, Math.floor(0.75 * window));
  else if (taken >= FULL_SHARE * window) window = Math.min(WINDOW_MAX, window + WINDOW_STEP);
  window = Math.min(window, most);
  const owed = credit.owed + taken + (window - credit.window);
  return owed > 0 ? { credit: { window, owed: 0 }, ask: owed } : { credit: { window, owed }, ask: 0 };
}

/**
 * When the next draw may be, in the clock of `nowMs`.
 * @param {number} lastDrawMs
 * @param {number} nowMs
 */
export function nextDrawAt(lastDrawMs, nowMs) {
  return Math.max(nowMs, lastDrawMs + BEAT_MS);
}
