/**
 * Shell: the pictures that have a code in a channel's chat (PROTOCOL.md, Emotes).
 * @module
 */

import { request } from "./http.js";

/** @param {string} nickname @returns {Promise<import("../core/emotes.js").Emotes>} by their codes */
export async function emotesOf(nickname) {
  const { emotes } = await request("GET", `/api/channels/${encodeURIComponent(nickname)}/emotes`);
  return new Map(emotes.map((/** @type {import("../core/emotes.js").Emote} */ emote) => [emote.code, emote]));
}
