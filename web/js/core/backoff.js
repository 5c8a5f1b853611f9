/**
 * Core: how long to wait before trying again.
 * @module
 */

/** The first wait: a restarting server is back within a second. */
export const WAIT_FIRST_MS = 500;
/** The longest wait: a person who looks again should not wait longer than this. */
export const WAIT_MAX_MS = 20_000;

/**
 * Doubling waits, of which the upper half is random: a thousand viewers cut off together do not come back together.
 * @param {number} attempt 0 for the first retry
 * @param {number} random from 0 to 1
 */
export function waitMs(attempt, random) {
  const whole = Math.min(WAIT_MAX_MS, WAIT_FIRST_MS * 2 ** Math.min(attempt, 16));
  return Math.round(whole * (0.5 + random / 2));
}
