/**
 * Core: how far one may go back in a running broadcast, and where one is.
 * @module
 */

/** A shorter window is not worth a bar: its steps would be coarser than the wait. */
export const WINDOW_SECONDS_MIN = 12;
/** Closer to the edge than this is the edge: a range's last step must not fight with the player's own drift. */
const EDGE_SECONDS = 1.5;

/**
 * @typedef {object} Rewind
 * @property {number} from the oldest second that can still be had
 * @property {number} to the newest one a player stays at
 * @property {number} at
 * @property {number} behindSeconds
 */

/**
 * @param {{ start: number, edge: number, time: number }} now seconds of the media's own clock
 * @returns {Rewind | null} null: there is nothing to go back to
 */
export function rewind({ start, edge, time }) {
  if (!(edge - start >= WINDOW_SECONDS_MIN)) return null;
  const at = Math.min(edge, Math.max(start, time));
  const behind = edge - at;
  return behind < EDGE_SECONDS ? { from: start, to: edge, at: edge, behindSeconds: 0 } : { from: start, to: edge, at, behindSeconds: behind };
}

/**
 * Where a moment lies in a list of fragments. Both lists of a broadcast, the edge's and the whole one, share the clock.
 * @param {readonly { start: number, duration: number, programDateTime: number | null }[]} fragments oldest first
 * @param {number} momentMs
 * @returns {number} a second of the media's own clock; the nearest one when the moment is not in the list
 */
export function secondOf(fragments, momentMs) {
  const dated = fragments.filter(({ programDateTime }) => programDateTime !== null);
  const found = dated.findLast(({ programDateTime }) => (programDateTime ?? 0) <= momentMs) ?? dated[0];
  if (found === undefined) return 0;
  const into = (momentMs - (found.programDateTime ?? 0)) / 1000;
  return found.start + Math.min(found.duration, Math.max(0, into));
}
