/**
 * Shell: the house's HTTP doors for those who broadcast and moderate, one function each (PROTOCOL.md).
 * @module
 */

import { asMember } from "./as_member.js";
import { channelPath } from "./api.js";

/** @typedef {import("./api.js").Channel} Channel */
/** @typedef {{ id: string, from: string, points: number, text: string, at: string }} ReceivedDonation */
/**
 * @typedef {object} Act
 * @property {number} id
 * @property {string} at
 * @property {string} action
 * @property {string | null} actor null: has left
 * @property {string | null} target
 * @property {string | null} until
 * @property {number | null} seconds
 * @property {string} text
 * @property {string} reason
 */
/** @param {string} nickname @param {{ title?: string, category?: string, tags?: string[], rules?: Record<string, unknown> }} change @returns {Promise<Channel>} */
export function editChannel(nickname, change) {
  return asMember("PATCH", channelPath(nickname), change);
}

/** @param {string} nickname @returns {Promise<{ server: string, key: string }>} the old key is dead when this answers */
export function rotateStreamKey(nickname) {
  return asMember("POST", `${channelPath(nickname)}/stream-key`);
}

/** @param {string} nickname @returns {Promise<import("../core/stream_health.js").Health>} */
export function streamHealth(nickname) {
  return asMember("GET", `${channelPath(nickname)}/health`);
}

/** @param {string} nickname @returns {Promise<{ donations: ReceivedDonation[], next: string | null }>} */
export function donationsTo(nickname) {
  return asMember("GET", `${channelPath(nickname)}/donations`);
}

/**
 * For owner and moderators.
 * @param {string} nickname
 * @param {string | null} [cursor]
 * @returns {Promise<{ rules: Record<string, unknown> & { blocked_words: string[] }, moderators: string[], entries: Act[], next: string | null }>}
 */
export function moderation(nickname, cursor = null) {
  return asMember("GET", `${channelPath(nickname)}/moderation${cursor === null ? "" : `?cursor=${encodeURIComponent(cursor)}`}`);
}
