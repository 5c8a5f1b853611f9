/**
 * Core: notices that a playing picture has stopped moving.
 *
 * One player of about thirty once froze after a second and stayed so; nothing in hls.js looks at that.
 * @module
 */

/** A stall this long is not the network's usual breath. */
export const NUDGE_AFTER_MS = 5_000;
/** When a nudge did not help, the source is loaded afresh. */
export const RELOAD_AFTER_MS = 10_000;

/** @typedef {{ time: number, sinceMs: number, nudged: boolean }} Watch */

/** @param {number} nowMs @returns {Watch} */
export function startWatch(nowMs) {
  return { time: -1, sinceMs: nowMs, nudged: false };
}

/**
 * @param {Watch} watch
 * @param {{ nowMs: number, time: number, meant: boolean }} look `meant`: it is meant to play (not paused, not ended)
 * @returns {{ watch: Watch, verdict: "fine" | "nudge" | "reload" }}
 *   nudge: start loading again from where it is. reload: begin anew. Each is said once, then the time starts over.
 */
export function look(watch, { nowMs, time, meant }) {
  if (!meant || time !== watch.time) return { watch: { time, sinceMs: nowMs, nudged: false }, verdict: "fine" };
  const stuckMs = nowMs - watch.sinceMs;
  if (stuckMs >= RELOAD_AFTER_MS) return { watch: { time, sinceMs: nowMs, nudged: false }, verdict: "reload" };
  if (stuckMs >= NUDGE_AFTER_MS && !watch.nudged) return { watch: { ...watch, nudged: true }, verdict: "nudge" };
  return { watch, verdict: "fine" };
}
