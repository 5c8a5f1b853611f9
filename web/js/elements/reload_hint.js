/**
 * Door: says that a part of the page could not be had, and offers to load the page anew.
 *
 * What a page loads only when it is wanted may be gone by then: the house was renewed while the page stood open, and its
 * files are named by what is in them. Browsers that prefetch have it all the same; Safari does not, nor does one whose
 * store was full. Where nobody else catches that, a button would do nothing.
 * @module
 */

import { t } from "../net/words.js";

/** In the words of Chromium, Firefox and Safari, each of which says "module". @param {unknown} reason */
function isMissingPart(reason) {
  return reason instanceof TypeError && /\bmodule\b/i.test(reason.message);
}

/** @type {HTMLElement | null} */
let hint = null;
/** What had the focus before the hint. @type {HTMLElement | null} */
let before = null;

addEventListener("unhandledrejection", ({ reason }) => {
  if (!isMissingPart(reason) || hint?.isConnected) return;
  hint = drawn();
  place();
});
// Below an open dialog nothing can be pressed: there the hint is in it. Both events stay with what is opened, but are seen on the way to it.
// So no dialog that lit draws may end in a part: what stands behind one without an end is lit's, and goes at the next draw.
document.addEventListener("toggle", place, { capture: true });
document.addEventListener("close", place, { capture: true });

function place() {
  if (hint === null) return;
  const room = [...document.querySelectorAll("dialog:modal")].at(-1) ?? document.body;
  if (hint.parentElement === room) return;
  // It has been read; an alert that is moved would be read again.
  if (hint.isConnected) hint.querySelector("[role]")?.removeAttribute("role");
  room.append(hint);
}

function drawn() {
  const made = document.createElement("div");
  const words = document.createElement("p");
  const again = document.createElement("button");
  const close = document.createElement("button");
  made.className = "reload-hint";
  words.textContent = t("reload.words");
  words.setAttribute("role", "alert");
  again.type = close.type = "button";
  again.textContent = t("reload.do");
  again.addEventListener("click", () => location.reload());
  close.className = "quiet";
  close.textContent = t("close");
  close.addEventListener("click", leave);
  made.addEventListener("focusin", ({ relatedTarget }) => {
    if (relatedTarget instanceof HTMLElement && !made.contains(relatedTarget)) before = relatedTarget;
  });
  made.append(words, again, close);
  return made;
}

/** Back to where one was, or to what the page is about. */
function leave() {
  hint?.remove();
  hint = null;
  before?.focus();
  if (document.activeElement === document.body) document.querySelector("main")?.focus();
  before = null;
}
