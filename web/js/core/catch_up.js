/**
 * Core: how fast to play, so that a viewer who fell behind comes back to the edge without a jump.
 *
 * hls.js does this too, but only with more than a second of picture in hand; with parts of a fifth of a second that is
 * more than is needed, and its viewers stay where the start happened to put them.
 * @module
 */

import { isAtLive } from "./hls_config.js";

/** Faster than this, voices are heard to be. */
export const RATE_MAX = 1.1;
/** Nearer than this is as near as it gets: parts come in steps. */
export const NEAR_SECONDS = 0.05;
/** Behind by so much, the whole rate is taken. */
export const FAR_SECONDS = 0.5;
/** Behind by so much, the rate alone would take more than a minute. */
export const JUMP_SECONDS = 6;

/**
 * @typedef {object} Now
 * @property {number} latencySeconds behind the edge
 * @property {number | null} targetSeconds the server's hold-back, and more after a stall; null when not known yet
 * @property {number} aheadSeconds of picture that is in hand
 * @property {boolean} stays its viewer chose to be where they are: by going back, or by a pause
 */

/**
 * @param {Now} now
 * @returns {number} 1 where there is nothing to catch up, or too little in hand: the hold-back is what may not be eaten up
 */
export function rateOf({ latencySeconds, targetSeconds, aheadSeconds, stays }) {
  if (targetSeconds === null || (stays && !isAtLive(latencySeconds, targetSeconds))) return 1;
  const behind = latencySeconds - targetSeconds;
  if (behind <= NEAR_SECONDS || aheadSeconds <= targetSeconds) return 1;
  return behind >= FAR_SECONDS ? RATE_MAX : (1 + RATE_MAX) / 2;
}

/**
 * @param {Now} now
 * @returns {number} how far to jump: a line that broke left its viewer behind, and all up to the edge is in hand and half the
 * hold-back more, for a jump that lands with nothing to play stalls; else 0
 */
export function jumpOf({ latencySeconds, targetSeconds, aheadSeconds, stays }) {
  if (targetSeconds === null || stays) return 0;
  const behind = latencySeconds - targetSeconds;
  return behind >= JUMP_SECONDS && aheadSeconds >= behind + targetSeconds / 2 ? behind : 0;
}
