/**
 * Shell: the house's HTTP doors, one function each (PROTOCOL.md).
 * @module
 */

import { asProblem } from "../core/problem.js";
import { request } from "./http.js";
import { identity } from "./identity.js";

/**
 * @typedef {object} Channel
 * @property {string} nickname
 * @property {string} title
 * @property {string} category
 * @property {string[]} tags
 * @property {boolean} on_air
 * @property {number} viewers
 * @property {string | null} started_at
 * @property {string | null} thumbnail
 * @property {string | null} playback
 */
/** @typedef {{ id: string, from: string, points: number, text: string, at: string }} ReceivedDonation */

/** @param {string} nickname */
const channelPath = (nickname) => `/api/channels/${encodeURIComponent(nickname)}`;

/** @returns {Promise<Channel[]>} who is on air */
export async function liveChannels() {
  return (await request("GET", "/api/channels?live=1")).channels;
}

/** @param {string} nickname @returns {Promise<Channel>} */
export function channel(nickname) {
  return request("GET", channelPath(nickname));
}

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

/** @param {string} nickname @returns {Promise<null>} */
export function follow(nickname) {
  return asMember("PUT", `${channelPath(nickname)}/follow`);
}

/** @param {string} nickname @returns {Promise<null>} */
export function unfollow(nickname) {
  return asMember("DELETE", `${channelPath(nickname)}/follow`);
}

/** @returns {Promise<{ nickname: string, roles: string[], points: number, following: string[] }>} */
export function me() {
  return asMember("GET", "/api/members/me");
}

/** @param {string} nickname @returns {Promise<{ donations: ReceivedDonation[], next: string | null }>} */
export function donationsTo(nickname) {
  return asMember("GET", `${channelPath(nickname)}/donations`);
}

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
/**
 * For owner and moderators.
 * @param {string} nickname
 * @param {string | null} [cursor]
 * @returns {Promise<{ rules: Record<string, unknown> & { blocked_words: string[] }, moderators: string[], entries: Act[], next: string | null }>}
 */
export function moderation(nickname, cursor = null) {
  return asMember("GET", `${channelPath(nickname)}/moderation${cursor === null ? "" : `?cursor=${encodeURIComponent(cursor)}`}`);
}

/** @returns {Promise<{ balance: number, earnings: number }>} */
export function points() {
  return asMember("GET", "/api/points");
}

/**
 * @param {import("../core/account.js").Account} account
 * @returns {Promise<{ nickname: string, stream_server: string, stream_key: string }>} the key is told this once
 */
export function signUp(account) {
  return request("POST", "/api/members", { body: account });
}

/**
 * @param {"GET" | "POST" | "PATCH" | "PUT" | "DELETE"} method
 * @param {string} path
 * @param {unknown} [body]
 */
async function asMember(method, path, body) {
  try {
    return await request(method, path, { body, token: await identity.token() });
  } catch (error) {
    const { code } = asProblem(error);
    if (code !== "auth.token_expired" && code !== "auth.token_invalid") throw error;
    // The house no longer likes this token (its clock, its secret): one fresh one, then its word is final.
    return request(method, path, { body, token: await identity.token({ fresh: true }) });
  }
}
