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

addEventListener("unhandledrejection", ({ reason }) => {
  if (!isMissingPart(reason) || document.querySelector(".reload-hint") !== null) return;
  const hint = document.createElement("div");
  const words = document.createElement("p");
  const again = document.createElement("button");
  const close = document.createElement("button");
  hint.className = "reload-hint";
  words.textContent = t("reload.words");
  words.setAttribute("role", "alert");
  again.type = close.type = "button";
  again.textContent = t("reload.do");
  again.addEventListener("click", () => location.reload());
  close.className = "quiet";
  close.textContent = t("close");
  close.addEventListener("click", () => hint.remove());
  hint.append(words, again, close);
  document.body.append(hint);
});
