/**
 * Core: how hls.js is set, and what its figures mean.
 * @module
 */

/**
 * The server's PART-HOLD-BACK sets the target. `liveMaxLatencyDuration` stays unset: it would drag a viewer who went
 * back in time forward again. The rate is ours to set (catch_up.js): at 1 hls.js leaves it alone.
 */
export const HLS_CONFIG = Object.freeze({
  lowLatencyMode: true,
  maxLiveSyncPlaybackRate: 1,
  backBufferLength: 60,
  capLevelToPlayerSize: true,
  // fMP4 is passed on as it comes: a worker would only need one more permission in the Content Security Policy.
  enableWorker: false,
});

/** How far behind the target still counts as live: one stall adds a second to the target by design. */
export const LIVE_SLACK_SECONDS = 2.5;

/**
 * @param {number} latencySeconds
 * @param {number | null} targetSeconds null when the player does not know one yet
 */
export function isAtLive(latencySeconds, targetSeconds) {
  return latencySeconds <= (targetSeconds ?? 1) + LIVE_SLACK_SECONDS;
}

/**
 * A rendition's name as viewers know it: its height, and its rate where that is more than film.
 * @param {{ height?: number, frameRate?: number, bitrate?: number }} level
 * @returns {string} "" when the playlist says nothing about it
 */
export function levelName({ height = 0, frameRate = 0, bitrate = 0 }) {
  if (height > 0) return `${height}p${frameRate > 31 ? Math.round(frameRate) : ""}`;
  return bitrate > 0 ? `${Math.round(bitrate / 1000)}k` : "";
}

const TRACKS = ["audio", "video", "audiovideo"];

/**
 * Which buffers a stretch of media needs: sound alone needs another one than a picture with sound, and what has one
 * cannot take the other.
 * @param {object} codecs as hls.js tells of them
 */
export function tracksOf(codecs) {
  return TRACKS.filter((track) => track in codecs).join("+");
}
