/**
 * Shell: the house's HTTP doors for those who broadcast and moderate, one function each (PROTOCOL.md).
 * @module
 */

import { asMember } from "./as_member.js";
import { channelPath } from "./api.js";

/** @param {string | null} cursor */
const page = (cursor) => (cursor === null ? "" : `?cursor=${encodeURIComponent(cursor)}`);

/** @typedef {import("./api.js").Channel} Channel */
/** @typedef {{ id: string, from: string, points: number, text: string, at: string, refunded: boolean }} ReceivedDonation `from` is empty without a name */
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

/** Whoever publishes is cut. @param {string} nickname @returns {Promise<{ seconds: number }>} for so long nobody may publish */
export function cutEncoder(nickname) {
  return asMember("POST", `${channelPath(nickname)}/kick`);
}

/** @param {string} nickname @returns {Promise<import("../core/stream_health.js").Health>} */
export function streamHealth(nickname) {
  return asMember("GET", `${channelPath(nickname)}/health`);
}

/** @param {string} nickname @param {number} number the first sample that is wanted @returns {Promise<import("../core/series.js").History>} */
export function healthHistory(nickname, number) {
  return asMember("GET", `${channelPath(nickname)}/health/history${page(String(number))}`);
}

/**
 * @typedef {object} PastBroadcast
 * @property {string} id
 * @property {string} started_at
 * @property {string} ended_at
 * @property {number} seconds
 * @property {{ peak: number, average: number } | null} viewers null: too few of them were counted
 * @property {number} new_followers
 * @property {number} points
 * @property {number} donations
 */
/** @param {string} nickname @returns {Promise<{ broadcasts: PastBroadcast[] }>} those that are over, the latest first */
export function pastBroadcasts(nickname) {
  return asMember("GET", `${channelPath(nickname)}/broadcasts`);
}

/** @param {string} nickname @param {string | null} [cursor] @returns {Promise<{ donations: ReceivedDonation[], next: string | null }>} */
export function donationsTo(nickname, cursor = null) {
  return asMember("GET", `${channelPath(nickname)}/donations${page(cursor)}`);
}

/** Once; again it answers the same. @param {string} nickname @param {string} id @returns {Promise<{ earnings: number }>} */
export function returnDonation(nickname, id) {
  return asMember("POST", `${channelPath(nickname)}/donations/${encodeURIComponent(id)}/refund`, {});
}

/**
 * For owner and moderators.
 * @param {string} nickname
 * @param {string | null} [cursor]
 * @returns {Promise<{ rules: Record<string, unknown> & { blocked_words: string[] }, moderators: string[], entries: Act[], next: string | null }>}
 */
export function moderation(nickname, cursor = null) {
  return asMember("GET", `${channelPath(nickname)}/moderation${page(cursor)}`);
}

/** Counted from now on. @param {string} nickname @param {string} title @param {number} points @returns {Promise<{ goal: import("../core/goal.js").Goal | null }>} */
export function setGoal(nickname, title, points) {
  return asMember("PUT", `${channelPath(nickname)}/goal`, { title, points });
}

/** @param {string} nickname @returns {Promise<null>} */
export function clearGoal(nickname) {
  return asMember("DELETE", `${channelPath(nickname)}/goal`);
}
