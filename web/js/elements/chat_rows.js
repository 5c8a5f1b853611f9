/**
 * Door: one line of the chat as a row: made by hand, because a fast room makes thousands of them.
 *
 * Only `textContent`: whatever somebody types is text.
 * @module
 */

import { isUnsure, isWorthAgain } from "../core/chat_log.js";
import { nameColour } from "../core/portrait.js";
import { errorText, format, t } from "../net/words.js";
import { Problem } from "../core/problem.js";

/** @typedef {import("../core/chat_log.js").Line} Line */
/** @typedef {import("../core/chat_log.js").Draft} Draft */
/** @typedef {import("../core/emotes.js").Split} Split */

/**
 * @param {Line} line
 * @param {string} channel whose room it is
 * @param {Split} split
 * @param {() => void} again sends a line of one's own once more that may not have come to the others
 * @returns {HTMLElement}
 */
export function lineRow(line, channel, split, again) {
  switch (line.kind) {
    case "gap":
      return part("div", "line gap", line.skipped > 0 ? t("chat.gap", { count: line.skipped }) : t("chat.gap_unknown"));
    case "donated":
      return donation(line, split);
    default:
      return said(line, channel, split, again);
  }
}

/**
 * A line of one's own that is on its way, or was refused: then it can be sent again, taken back into the composer, or dropped.
 * @param {Draft} draft
 * @param {string} nickname
 * @param {(act: "again" | "edit" | "drop") => void} act
 * @param {Split} split
 * @returns {HTMLElement}
 */
export function draftRow(draft, nickname, act, split) {
  const row = part("div", draft.code === null ? "line mine pending" : "line mine refused");
  row.append(name(nickname), words(draft.text, split));
  if (draft.code === null) {
    row.append(part("span", "visually-hidden", t("chat.pending")));
    return row;
  }
  const problem = new Problem(draft.code, { retryAfterMs: draft.retryAfterMs });
  const why = part("p", "why", isUnsure(draft) ? t("chat.unsure") : t("chat.refused", { why: errorText(problem) }));
  why.setAttribute("role", "status");
  row.append(why, button("chat.refused_edit", () => act("edit")));
  if (isWorthAgain(draft)) row.append(button("chat.send_again", () => act("again")));
  row.append(button("chat.refused_drop", () => act("drop")));
  return row;
}

/** Take it away; who was in it goes on where they go on when they drop it themselves. @param {HTMLElement} row */
export function dropRow(row) {
  const list = row.contains(document.activeElement) ? row.closest("chat-list") : null;
  row.remove();
  list?.dispatchEvent(new CustomEvent("take-back", { detail: "", cancelable: true }));
}

/** @param {Line} line @param {string} channel @param {Split} split @param {() => void} again */
function said(line, channel, split, again) {
  const row = part("div", "line");
  row.classList.toggle("mine", line.mine);
  row.classList.toggle("mentioned", line.mentioned);
  row.title = format.clock(line.at);
  row.tabIndex = -1; // The arrow keys go from line to line.
  if (line.nickname === channel) row.append(part("span", "role", t("chat.role_streamer")));
  else if (line.roles.includes("operator")) row.append(part("span", "role", t("chat.role_operator")));
  else if (line.roles.includes("moderator")) row.append(part("span", "role", t("chat.role_moderator")));
  row.append(name(line.nickname));
  row.append(line.removed ? part("span", "removed", t("chat.removed")) : words(line.text, split));
  if (line.local || line.lapsed) row.append(part("span", "mark", t(line.local ? "chat.local" : "chat.lapsed")));
  if (line.lapsed && line.mine && !line.removed) row.append(button("chat.send_again", again));
  return row;
}

/** @param {Line} line @param {Split} split */
function donation(line, split) {
  const row = part("div", "line donated");
  row.title = format.clock(line.at);
  row.tabIndex = -1;
  const head = part("div", "donated-head");
  const donor = line.nickname === "" ? part("bdi", "name", t("chat.anonymous")) : name(line.nickname);
  head.append(donor, part("span", "points", t("chat.points", { count: line.points })));
  row.append(head);
  if (line.removed) row.append(part("span", "removed", t("chat.removed")));
  else if (line.text !== "") row.append(words(line.text, split));
  return row;
}

/** What somebody said: text, and a picture where a code stands that the room knows. @param {string} text @param {Split} split */
function words(text, split) {
  const element = part("bdi", "text");
  for (const piece of split(text)) element.append(typeof piece === "string" ? piece : picture(piece));
  return element;
}

/** Read aloud, copied and without pictures it is its code. @param {import("../core/emotes.js").Emote} emote */
function picture({ code, url, width, height }) {
  const element = document.createElement("img");
  element.className = "emote";
  element.alt = element.title = `:${code}:`;
  element.width = width;
  element.height = height;
  element.decoding = "async";
  element.src = url;
  return element;
}

/** Pressed, it opens what can be done with the line. @param {string} nickname */
function name(nickname) {
  const element = part("bdi", "name", nickname);
  element.dataset.colour = String(nameColour(nickname));
  return element;
}

/** @param {string} key @param {() => void} act */
function button(key, act) {
  const element = part("button", "quiet small", t(key));
  element.setAttribute("type", "button");
  element.addEventListener("click", act);
  return element;
}

/** @param {string} tag @param {string} className @param {string} [text] @returns {HTMLElement} */
function part(tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}
