/**
 * Roof: a channel: picture, conversation, gifts.
 *
 * Whether it is on air is told by the page itself, by the room, and by the API: at each new connection, and for as long as
 * the room cannot be heard or the picture cannot be had. A house that died in the middle of a broadcast never said that it is over.
 * @module
 */

import { asked, momentMs, NOTHING_KNOWN, playedOut, told } from "../core/broadcast_state.js";
import { asProblem } from "../core/problem.js";
import { ChannelAbout } from "../elements/channel_about.js";
import { ChatRoom } from "../elements/chat_room.js";
import { LivePlayer } from "../elements/live_player.js";
import "../elements/site_header.js";
import { channel } from "../net/api.js";
import { breath } from "../net/breath.js";
import { identity } from "../net/identity.js";
import { keptDonation } from "../net/kept_donation.js";
import { fetchLater } from "../net/later.js";
import { onceWide } from "../net/once_wide.js";
import { setting } from "../net/settings.js";
import { keep, kept } from "../net/storage.js";
import { Wire } from "../net/wire.js";
import { fill, t } from "../net/words.js";

/** While nothing is on, the room cannot be heard or the picture is troubled, the API is asked this often. */
const ASK_EVERY_MS = 10_000;
/** Over a gap the channel may have got another name. A room of thousands that is too fast has gaps all the time: each asks seldom. */
const GAP_ASK_MS = 30_000;
const GAP_ASK_SPREAD_MS = 30_000;
const THEATRE = "commeow.theatre";
/** After the room is open. */
const SUPPORT_AFTER_MS = 1_500;

const nickname = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const player = /** @type {LivePlayer} */ (document.querySelector("live-player"));
const about = /** @type {ChannelAbout} */ (document.querySelector("channel-about"));
const room = /** @type {ChatRoom} */ (document.querySelector("chat-room"));
const wire = new Wire(setting("commeow-rsocket"), (how) => identity.token(how));

let broadcast = NOTHING_KNOWN;
/** @type {import("../elements/channel_support.js").ChannelSupport | null} */
let support = null;
/** When the room was entered, by the house's clock: what was given before is in the sums, however late the room tells it. */
let enteredMs = Number.NaN;
/** What the room last said that the channel is called. @type {{ title: string, category: string, tags: string[] } | null} */
let named = null;
/** @type {ReturnType<typeof setTimeout> | null} */
let askingAnew = null;

fill(document);
document.title = t("page_title", { page: nickname });
player.nickname = nickname;
spread(kept(THEATRE) !== null);
onceWide(() => import("../elements/channel_rail.js"), () => document.querySelector("channel-rail")?.remove()); // Its place goes with it.

wire.addEventListener("state", () => {
  if (wire.state === "open" && Number.isNaN(enteredMs)) enteredMs = momentMs(wire.hello?.now);
  if (wire.state === "open") void ask();
  if (wire.state === "open" && support === null) setTimeout(() => showSupport().catch(() => null), SUPPORT_AFTER_MS);
});
room.addEventListener("room-news", (event) => {
  const { detail } = /** @type {CustomEvent<import("../core/chat_log.js").RoomEvent>} */ (event);
  const isNew = !(momentMs(detail.at) < enteredMs);
  if (detail.kind === "donated" && isNew) support?.given(detail);
  if (detail.kind === "titled" && isNew) retitle(detail);
  if (detail.kind === "gap") askAnew();
  if (detail.kind === "on_air" || detail.kind === "interrupted" || detail.kind === "off_air") {
    become(told(broadcast, detail, momentMs(wire.hello?.now)));
    // The title may have changed with it, and the time it began has.
    if (detail.kind === "on_air") void ask();
  }
});
player.addEventListener("played-out", () => become(playedOut(broadcast)));
player.addEventListener("trouble", () => void ask());
player.addEventListener("theatre", () => spread(!player.theatre));
document.addEventListener("keydown", (event) => {
  // No arrows and no space bar: they scroll a page whose reader has not turned to the player.
  if (event.target === document.body && /^[a-z?]$/i.test(event.key)) player.onKey(event);
});
about.addEventListener("donate", () => void give());
about.addEventListener("share", () => void share());
about.addEventListener("followed", () => void ask()); // The house counts.
identity.addEventListener("change", () => wire.renew());
setInterval(() => {
  const well = broadcast.state === "live" && wire.state === "open" && !player.troubled;
  if (document.visibilityState === "visible" && !well) void ask();
}, ASK_EVERY_MS);

if (await exists()) {
  // As its owner writes it: the address may differ in capitals.
  const own = about.channel?.nickname ?? nickname;
  player.nickname = own;
  await breath(); // The picture first.
  await room.enter(wire, own);
  wire.start();
  // The page before this one may have left without the ledger's answer: then that comes first.
  if (keptDonation(identity.nickname, own) !== null) await give();
}

/** @param {import("../core/broadcast_state.js").Broadcast} next */
function become(next) {
  if (next === broadcast) return;
  const was = isOver(broadcast);
  broadcast = next;
  player.broadcast = next;
  about.state = next.state;
  // As the house wrote it into the page; what has ended before one's eyes keeps its room.
  if (next.state !== "ended" && next.state !== "unknown") document.body.dataset.onAir = next.state === "offline" ? "no" : "yes";
  if (isOver(next) !== was) offerOthers().catch(() => null); // Nobody asked for it, nor misses it.
}

/** @param {import("../core/broadcast_state.js").Broadcast} now */
function isOver({ state }) {
  return state === "offline" || state === "ended";
}

/** Nobody's way shall end at a channel that sleeps. */
async function offerOthers() {
  const { AlsoLive } = await import("../elements/also_live.js");
  const others = document.querySelector("also-live");
  if (others instanceof AlsoLive) await others.show(isOver(broadcast) ? about.channel : null);
}

/** The dialog is not needed before somebody wants to give. */
async function give() {
  const { DonateDialog } = await import("../elements/donate_dialog.js");
  const dialog = document.querySelector("donate-dialog");
  if (!(dialog instanceof DonateDialog)) return;
  dialog.wire = wire;
  dialog.channel = about.channel?.nickname ?? nickname;
  await dialog.updateComplete;
  await dialog.open();
}

/** A phone has a way of its own to all its friends. Whoever closes it has decided; where it is refused there is ours. */
async function share() {
  const address = `${location.origin}/c/${encodeURIComponent(about.channel?.nickname ?? nickname)}`;
  if (matchMedia("(pointer: coarse)").matches && "share" in navigator) {
    const failure = await navigator.share({ title: document.title, url: address }).catch((error) => error);
    if (failure === undefined || failure.name === "AbortError") return;
  }
  const { ShareDialog } = await import("../elements/share_dialog.js");
  const dialog = document.querySelector("share-dialog");
  if (!(dialog instanceof ShareDialog)) return;
  dialog.address = address;
  await dialog.open();
}

/** Who gave most and what for is nobody's first question. */
async function showSupport() {
  const { ChannelSupport } = await import("../elements/channel_support.js");
  const element = document.querySelector("channel-support");
  if (support !== null || !(element instanceof ChannelSupport)) return;
  support = element;
  fetchLater();
  await support.show(about.channel?.nickname ?? nickname);
}

/** Give the picture all the room there is, or not. @param {boolean} wanted */
function spread(wanted) {
  player.theatre = wanted;
  document.body.toggleAttribute("data-theatre", wanted);
  keep(THEATRE, wanted ? "1" : null);
}

/** @param {import("../net/api.js").Channel} answer */
function take(answer) {
  call(answer);
  player.lastLive = answer.last_live_at;
  become(asked(broadcast, answer));
}

/** What the page says the channel is. @param {import("../net/api.js").Channel} known */
function call(known) {
  about.channel = known;
  document.title = t("page_title", { page: known.title === "" ? known.nickname : `${known.title} · ${known.nickname}` });
}

/** @param {import("../core/chat_log.js").RoomEvent} event */
function retitle({ title, category, tags }) {
  if (about.channel === null || typeof title !== "string" || typeof category !== "string" || !Array.isArray(tags)) return;
  named = { title, category, tags };
  call({ ...about.channel, ...named });
}

function askAnew() {
  askingAnew ??= setTimeout(() => {
    askingAnew = null;
    void ask();
  }, GAP_ASK_MS + Math.random() * GAP_ASK_SPREAD_MS);
}

/** @returns {Promise<boolean>} false when there is no such channel */
async function ask() {
  try {
    const before = named;
    const answer = await channel(nickname);
    take(named === before ? answer : { ...answer, ...named }); // The room's word came while the house was looking.
    return true;
  } catch (error) {
    // Only this word means that there is nothing; a house that does not answer may still have it.
    return asProblem(error).code !== "channel.unknown";
  }
}

async function exists() {
  // What the house wrote into the page when it sent it: the picture need not wait for an answer. The room's first word,
  // or the connection's, is newer.
  const now = setting("commeow-now");
  if (now !== "") take(JSON.parse(now));
  if (now !== "" || (await ask())) return true;
  document.body.dataset.missing = ""; // The page has the words for it; the stylesheet shows them.
  document.title = t("page_title", { page: t("channel.missing") });
  return false;
}
