/**
 * Roof: a channel's conversation in a window of its own, for a second screen or beside a game.
 * @module
 */

import { asProblem } from "../core/problem.js";
import { ChatRoom } from "../elements/chat_room.js";
import "../elements/reload_hint.js";
import { channel } from "../net/api.js";
import { identity } from "../net/identity.js";
import { setting } from "../net/settings.js";
import { Wire } from "../net/wire.js";
import { fill, t } from "../net/words.js";

const asked = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const room = /** @type {ChatRoom} */ (document.querySelector("chat-room"));
const heading = /** @type {HTMLElement} */ (document.querySelector("h1"));

fill(document);
const nickname = await ownNickname();
if (nickname === null) {
  heading.hidden = true;
  document.body.dataset.missing = ""; // The page has the words for it; the stylesheet shows them.
  document.title = t("page_title", { page: t("channel.missing") });
} else {
  heading.textContent = t("chat.window_title", { nickname });
  document.title = t("page_title", { page: heading.textContent });
  const wire = new Wire(setting("commeow-rsocket"), (how) => identity.token(how));
  identity.addEventListener("change", () => wire.renew());
  await room.enter(wire, nickname);
  wire.start();
}

/** As its owner writes it: the address may differ in capitals. @returns {Promise<string | null>} null: there is no such channel */
async function ownNickname() {
  try {
    return (await channel(asked)).nickname;
  } catch (error) {
    // Only this word means that there is nothing; a house that does not answer may still have it.
    return asProblem(error).code === "channel.unknown" ? null : asked;
  }
}
