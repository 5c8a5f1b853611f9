/**
 * Door: what a room says beside its lines: the notice on top, and what it asks of its speakers.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { t } from "../net/words.js";
import * as actIcons from "./act_icons.js";

/** @typedef {import("../core/room_rules.js").Rules} Rules */

/** @param {Rules} rules */
export function notice({ pinned }) {
  return pinned === "" ? nothing : html`<p class="pinned">${actIcons.pin}<span class="visually-hidden">${t("rules.pinned")}</span><bdi>${pinned}</bdi></p>`;
}

/** Before one writes in vain. @param {Rules} rules */
export function demands({ slowSeconds, followersOnlyMinutes, membersOnly, blockedLinks }) {
  const words = [
    slowSeconds > 0 ? t("rules.slow", { count: slowSeconds }) : "",
    followersOnlyMinutes === null ? "" : followersOnlyMinutes === 0 ? t("rules.followers") : t("rules.followers_for", { count: followersOnlyMinutes }),
    membersOnly ? t("rules.members") : "",
    blockedLinks ? t("rules.links") : "",
  ].filter((word) => word !== "");
  return words.length === 0 ? nothing : html`<p class="rules">${words.map((word) => html`<span>${word}</span>`)}</p>`;
}
