/**
 * Door: a card's picture comes alive while somebody looks at it: muted, one at a time, and gone when they look away.
 *
 * Loaded when a card is looked at for the first time: who only passes by pays nothing for it.
 * @module
 */

import { Playback } from "../net/playback.js";

/** A pointer on its way elsewhere does not stay as long as this. */
const DWELL_MS = 350;

/** @typedef {import("./channel_card.js").ChannelCard} ChannelCard */

/**
 * Somebody points at this card, or has the keyboard's focus on it.
 * @param {ChannelCard} card
 */
export function peek(card) {
  const link = card.querySelector("a");
  const picture = card.querySelector(".picture");
  const playback = card.channel?.playback ?? null;
  if (link === null || picture === null || playback === null || picture.querySelector("video") !== null || isUnwanted()) return;

  const video = document.createElement("video");
  /** @type {Playback | null} */
  let player = null;
  const looking = new AbortController();
  const begin = setTimeout(() => {
    video.muted = true;
    video.playsInline = true;
    video.tabIndex = -1;
    video.setAttribute("aria-hidden", "true"); // What it shows is what the link says.
    video.addEventListener("playing", () => video.toggleAttribute("data-plays", true), { once: true });
    picture.append(video);
    player = new Playback(video);
    player.load(playback);
  }, DWELL_MS);
  const end = () => {
    if (link.matches(":hover, :focus-visible")) return;
    looking.abort();
    clearTimeout(begin);
    player?.stop();
    video.remove();
  };
  for (const name of ["pointerleave", "pointercancel", "blur"]) link.addEventListener(name, end, { signal: looking.signal });
  if (!link.matches(":hover, :focus-visible")) end(); // Gone before this script came.
}

/** Who wants no motion, or pays for each megabyte, keeps the picture. */
function isUnwanted() {
  const { connection } = /** @type {Navigator & { connection?: { saveData?: boolean } }} */ (navigator);
  return matchMedia("(prefers-reduced-motion: reduce)").matches || connection?.saveData === true;
}
