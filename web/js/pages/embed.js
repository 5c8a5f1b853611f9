/**
 * Roof: the player of a channel in another site's frame. No member acts here: a frame may lie about what is pressed.
 *
 * There is no room to listen to, so the API alone tells whether it is on air.
 * @module
 */

import { asked, NOTHING_KNOWN, playedOut } from "../core/broadcast_state.js";
import { asProblem } from "../core/problem.js";
import { LivePlayer } from "../elements/live_player.js";
import { channel } from "../net/api.js";
import { fetchLater } from "../net/later.js";
import { fill, t } from "../net/words.js";

const ASK_EVERY_MS = 10_000;

const nickname = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const player = /** @type {LivePlayer} */ (document.querySelector("live-player"));
const out = /** @type {HTMLAnchorElement} */ (document.querySelector("a.out"));

let broadcast = NOTHING_KNOWN;

fill(document);
document.title = t("page_title", { page: nickname });
player.nickname = nickname;
out.href = `/c/${encodeURIComponent(nickname)}`;
out.textContent = t("embed.out");
out.hidden = false;
player.addEventListener("played-out", () => become(playedOut(broadcast)));
player.addEventListener("trouble", () => void ask());
player.addEventListener("loadeddata", fetchLater, { capture: true, once: true });
const asking = setInterval(() => {
  if (document.visibilityState === "visible") void ask();
}, ASK_EVERY_MS);
await ask();

/** @param {import("../core/broadcast_state.js").Broadcast} next */
function become(next) {
  if (next === broadcast) return;
  broadcast = next;
  player.broadcast = next;
}

async function ask() {
  try {
    const answer = await channel(nickname);
    document.title = t("page_title", { page: answer.title === "" ? answer.nickname : answer.title });
    player.lastLive = answer.last_live_at;
    become(asked(broadcast, answer));
  } catch (error) {
    // Any other word: asked again soon, and what plays goes on playing.
    if (asProblem(error).code === "channel.unknown") missing();
  }
}

/** There is nothing to wait for, nor to lead to. */
function missing() {
  clearInterval(asking);
  const words = document.createElement("p");
  words.className = "missing";
  words.textContent = t("channel.missing");
  player.replaceWith(words);
  out.remove();
}
