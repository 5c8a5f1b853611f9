/**
 * Shell: the house's HTTP doors, one function each (PROTOCOL.md).
 * @module
 */

import { asMember } from "./as_member.js";
import { request } from "./http.js";

/**
 * @typedef {object} Channel
 * @property {string} nickname
 * @property {string} title
 * @property {string} category
 * @property {string[]} tags
 * @property {boolean} on_air
 * @property {number} viewers
 * @property {number} followers
 * @property {string | null} started_at
 * @property {string | null} last_live_at when its last broadcast ended; null on air, and before the first
 * @property {string | null} thumbnail
 * @property {string | null} playback
 */

/** @param {string} nickname */
export const channelPath = (nickname) => `/api/channels/${encodeURIComponent(nickname)}`;

/** @returns {Promise<Channel[]>} who is on air */
export async function liveChannels() {
  return (await request("GET", "/api/channels?live=1")).channels;
}

/** @param {string} nickname @returns {Promise<Channel>} */
export function channel(nickname) {
  return request("GET", channelPath(nickname));
}

/** @param {string} nickname @returns {Promise<null>} */
export function follow(nickname) {
  return asMember("PUT", `${channelPath(nickname)}/follow`);
}

/** @param {string} nickname @returns {Promise<null>} */
export function unfollow(nickname) {
  return asMember("DELETE", `${channelPath(nickname)}/follow`);
}

/** @returns {Promise<{ nickname: string, roles: string[], points: number, following: string[], moderates: string[] }>} */
export function me() {
  return asMember("GET", "/api/members/me");
}

/**
 * @param {import("../core/account.js").Account} account
 * @returns {Promise<{ nickname: string, stream_server: string, stream_key: string }>} the key is told this once
 */
export function signUp(account) {
  return request("POST", "/api/members", { body: account });
}

/** The player of a channel, as markup for another site. @param {string} address of its page @returns {Promise<string>} */
export async function embedCode(address) {
  return (await request("GET", `/oembed?url=${encodeURIComponent(address)}`)).html;
}
