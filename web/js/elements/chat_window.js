/**
 * Door: the way to the conversation in a window of its own.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { t } from "../net/words.js";
import * as actIcons from "./act_icons.js";

const WIDTH = 400;
const HEIGHT = 720;

/** @param {string} nickname "" while the room is not known */
export function windowLink(nickname) {
  const path = `/chat/${encodeURIComponent(nickname)}`;
  if (nickname === "" || location.pathname.startsWith("/chat/")) return nothing;
  return html`<a class="button icon-button" href=${path} target=${`commeow-chat-${nickname}`} aria-label=${t("chat.window")} title=${t("chat.window")}
    @click=${open}>${actIcons.outside}</a>`;
}

/** A small window where the browser allows one; the link itself opens a tab. @param {MouseEvent} event */
function open(event) {
  const link = event.currentTarget;
  if (!(link instanceof HTMLAnchorElement) || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const opened = window.open(link.href, link.target, `popup,width=${WIDTH},height=${HEIGHT}`);
  if (opened !== null) event.preventDefault();
}
