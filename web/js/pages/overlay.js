/**
 * Roof: what OBS lays over a broadcast: alerts, the chat, or the goal, by the link that its address is; only that is loaded.
 *
 * A link that was revoked goes dark: the connection ends, the house no longer knows the address, and nothing is left.
 * @module
 */

import { setting } from "../net/settings.js";
import { Wire } from "../net/wire.js";

const [, , token = "", kind = ""] = location.pathname.split("/");
const channel = setting("commeow-channel");
const main = /** @type {HTMLElement} */ (document.querySelector("main"));
const wire = new Wire(setting("commeow-rsocket"), async ({ fresh }) => {
  if (fresh && (await isRevoked())) end();
  return token;
});

document.body.dataset.kind = kind;
if (kind === "chat") await showChat();
else if (kind === "goal") await showGoal();
else await showAlerts();
wire.start();

async function showAlerts() {
  const { OverlayAlerts } = await import("../elements/overlay_alerts.js");
  const alerts = new OverlayAlerts();
  if (new URLSearchParams(location.search).has("aloud")) alerts.speech = (seq) => `/overlay/${token}/speech/${seq}`;
  main.append(alerts);
  alerts.watch(wire, channel);
}

async function showGoal() {
  const { OverlayGoal } = await import("../elements/overlay_goal.js");
  const goal = new OverlayGoal();
  main.append(goal);
  goal.watch(wire, channel);
}

async function showChat() {
  const { ChatList } = await import("../elements/chat_list.js");
  const list = new ChatList();
  list.local = false;
  main.append(list);
  list.addEventListener("room-event", (event) => {
    const { kind: what, retry_after_ms } = /** @type {CustomEvent<import("../core/chat_log.js").RoomEvent>} */ (event).detail;
    if (what === "drain") wire.renew(Number(retry_after_ms) || 0);
  });
  list.watch(wire, channel, null);
  drawPictures(list).catch(() => undefined); // Without them codes stay text.
}

/** @param {import("../elements/chat_list.js").ChatList} list */
async function drawPictures(list) {
  const [{ pieces }, { emotesOf }] = await Promise.all([import("../core/emotes.js"), import("../net/emotes.js")]);
  const emotes = await emotesOf(channel);
  list.split = (text) => pieces(text, emotes);
}

/** Only the house's own word counts: a house that is away comes back. */
async function isRevoked() {
  try {
    return (await fetch(location.href, { method: "HEAD", cache: "no-store" })).status === 404;
  } catch {
    return false;
  }
}

function end() {
  wire.stop();
  main.replaceChildren();
}
