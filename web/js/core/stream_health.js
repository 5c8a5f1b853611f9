/**
 * Core: what a broadcast's health is called: encoders and codecs by the names that people know.
 * @module
 */

/**
 * @typedef {object} Health GET /api/channels/{nickname}/health
 * @property {"off_air" | "announced" | "live" | "interrupted"} state
 * @property {number | null} seconds
 * @property {string | null} encoder
 * @property {number | null} connections
 * @property {number | null} speed
 * @property {Picture | null} picture
 * @property {Sound | null} sound
 * @property {{ picture: number, sound: number, line: number } | null} gaps
 * @property {string[]} renditions
 * @property {Verdict[]} verdicts
 */
/**
 * @typedef {object} Picture
 * @property {string} codec
 * @property {number} width
 * @property {number} height
 * @property {number | null} frames_a_second
 * @property {number} kilobits_a_second
 * @property {number | null} keyframe_seconds
 * @property {boolean} b_frames
 */
/** @typedef {{ codec: string, rate: number, channels: number, kilobits_a_second: number, drift_ms: number | null }} Sound */
/** @typedef {{ code: string, level: "good" | "hint" | "bad", values: Record<string, number> }} Verdict */

/** What encoders write of themselves, as in "obs-output module (libobs version 31.0.0)" and "Lavf62.3.100". */
const ENCODERS = Object.freeze([
  { pattern: /obs/i, name: "OBS" },
  { pattern: /^lavf/i, name: "ffmpeg" },
  { pattern: /gstreamer|flvmux/i, name: "GStreamer" },
]);
/** By the beginning of an RFC 6381 string. */
const CODECS = Object.freeze(
  /** @type {Record<string, string>} */ ({ avc1: "H.264", hvc1: "HEVC", av01: "AV1", mp4a: "AAC", opus: "Opus" }),
);

/** @param {string | null} encoder what it calls itself @returns {string | null} null for one that we do not know */
export function encoderName(encoder) {
  return ENCODERS.find(({ pattern }) => encoder !== null && pattern.test(encoder))?.name ?? null;
}

/** @param {string} codec @returns {string} */
export function codecName(codec) {
  return CODECS[codec.slice(0, 4)] ?? codec;
}

/** Kilobits a second of all tracks together. @param {Health} health */
export function kilobits({ picture, sound }) {
  return (picture?.kilobits_a_second ?? 0) + (sound?.kilobits_a_second ?? 0);
}
