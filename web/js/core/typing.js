/**
 * Core: how much is asked of the room while somebody types, and when it is drawn.
 *
 * What they feel decides, not what a draw costs: on a machine where every draw is dear, a bound on its cost would leave
 * the room standing still. Whoever does not type is not held back.
 * @module
 */

import { BEAT_MS, WINDOW_MAX, WINDOW_MIN } from "./credit.js";

/** So long after a key they still type. */
export const TYPING_MS = 1_000;
/** A key that is seen so late or later was slow: well below the tenth of a second that is felt, and in steps of 8, as browsers count. */
export const SEEN_MS_MAX = 56;
/** By so much each key opens again what a slow one has halved. */
export const TYPING_STEP = 1;
/** After so long without a key the machine may be another: nothing is held against it. */
export const TYPING_FORGOTTEN_MS = 60_000;
/** For so long keys may put off a draw: one that is held down comes thirty times a second. */
export const PUT_OFF_MS_MAX = BEAT_MS;

/**
 * @typedef {object} Typing
 * @property {number} keyMs when a key was pressed last
 * @property {number} frameMs when the frame began that shows it; Infinity while it is to come
 * @property {number} most what the window may be while somebody types
 */

/** @returns {Typing} */
export function startTyping() {
  return { keyMs: Number.NEGATIVE_INFINITY, frameMs: Number.NEGATIVE_INFINITY, most: WINDOW_MAX };
}

/** A key was pressed. @param {Typing} typing @param {number} nowMs @returns {Typing} */
export function pressed({ keyMs, most: before }, nowMs) {
  const most = nowMs - keyMs > TYPING_FORGOTTEN_MS ? WINDOW_MAX : before;
  return { keyMs: nowMs, frameMs: Number.POSITIVE_INFINITY, most: Math.min(WINDOW_MAX, most + TYPING_STEP) };
}

/** The frame begins that shows it. @param {Typing} typing @param {number} frameMs @returns {Typing} */
export function shown(typing, frameMs) {
  return { ...typing, frameMs };
}

/** A key took SEEN_MS_MAX or longer to be seen, or some did that are told of together. @param {Typing} typing @param {number} window as it is @returns {Typing} */
export function seenLate(typing, window) {
  return { ...typing, most: Math.max(WINDOW_MIN, Math.floor(Math.min(typing.most, window) / 2)) };
}

/** What the window may be now. @param {Typing} typing @param {number} nowMs */
export function windowMost({ keyMs, most }, nowMs) {
  return nowMs - keyMs < TYPING_MS ? most : WINDOW_MAX;
}

/**
 * Is a draw better left to the next frame, because this one shows a key?
 * @param {Typing} typing @param {number} frameMs when this frame began @param {number} waitedMs by how much the draw is late
 */
export function putsOff(typing, frameMs, waitedMs) {
  return typing.frameMs >= frameMs && waitedMs < PUT_OFF_MS_MAX;
}
