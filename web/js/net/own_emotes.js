/**
 * Shell: how a streamer changes the pictures of the chat (PROTOCOL.md, Emotes).
 * @module
 */

import { Problem, problemFrom } from "../core/problem.js";
import { channelPath } from "./api.js";
import { asMember } from "./as_member.js";
import { identity } from "./identity.js";

/** @typedef {import("../core/emotes.js").Emote} Emote */

/** A picture of 32 KiB on a slow line. */
const SENT_MS_MAX = 30_000;

/** @param {string} nickname @param {string} code @param {Blob} picture @returns {Promise<Emote>} */
export async function putEmote(nickname, code, picture) {
  const token = await identity.token();
  let answer;
  try {
    answer = await fetch(emotePath(nickname, code), {
      method: "PUT",
      headers: { Accept: "application/json", "Content-Type": picture.type, Authorization: `Bearer ${token ?? ""}` },
      credentials: "same-origin",
      signal: AbortSignal.timeout(SENT_MS_MAX),
      body: picture,
    });
  } catch {
    throw new Problem("wire.unreachable", { unknown: true });
  }
  const said = await answer.json().catch(() => null);
  if (!answer.ok) throw problemFrom(said, "internal", { status: answer.status });
  return said;
}

/** @param {string} nickname @param {string} code @returns {Promise<null>} */
export function removeEmote(nickname, code) {
  return asMember("DELETE", emotePath(nickname, code));
}

/** @param {string} nickname @param {string} code */
const emotePath = (nickname, code) => `${channelPath(nickname)}/emotes/${encodeURIComponent(code)}`;
