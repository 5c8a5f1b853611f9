/**
 * Shell: what is typed on this page, and how soon it is seen.
 * @module
 */

import { WINDOW_MAX } from "../core/credit.js";
import { pressed, putsOff, SEEN_MS_MAX, seenLate, shown, startTyping, windowMost } from "../core/typing.js";

let typing = startTyping();
let size = WINDOW_MAX;

addEventListener(
  "keydown",
  () => {
    typing = pressed(typing, performance.now());
    requestAnimationFrame((frameMs) => (typing = shown(typing, frameMs)));
  },
  { capture: true, passive: true },
);

// From the press to the pixels, as the browser counts it. Where it does not, a draw is put off for a key and no more.
if (PerformanceObserver.supportedEntryTypes.includes("event")) {
  new PerformanceObserver((late) => {
    if (late.getEntriesByName("keydown").length > 0) typing = seenLate(typing, size);
  }).observe(/** @type {PerformanceObserverInit} */ ({ type: "event", durationThreshold: SEEN_MS_MAX }));
}

/** What the window may be now. @param {number} asked as it is */
export function mostAsked(asked) {
  size = asked;
  return windowMost(typing, performance.now());
}

/** @param {number} frameMs when this frame began @param {number} dueMs when the draw was due */
export function keyGoesFirst(frameMs, dueMs) {
  return putsOff(typing, frameMs, performance.now() - dueMs);
}
