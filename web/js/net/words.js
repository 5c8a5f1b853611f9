/**
 * Shell: this page's language. Importing it waits for the catalogue, so that no element ever draws without words.
 * @module
 */

import { formats } from "../core/format.js";
import { words } from "../core/i18n.js";
import { sentence } from "../core/problem.js";

/** The two languages of the house; the server has chosen one and written it into the page. */
const LANGUAGES = Object.freeze(["ko", "en"]);
const COOKIE_SECONDS = 365 * 24 * 3600;

export const language = LANGUAGES.find((one) => one === document.documentElement.lang) ?? "ko";
const spoken = words(language, await catalogue(language));

export const t = spoken.t;
export const format = formats(language);

/** The sentence for a refusal. @param {unknown} error */
export function errorText(error) {
  return sentence(spoken, error);
}

/** Come back in the other language. @param {string} wanted */
export function speakInstead(wanted) {
  tellHouse("lang", wanted);
  location.reload();
}

/** The next page comes with its side as wide as this one has it: nothing jumps. @param {"narrow" | "wide"} wanted */
export function keepRail(wanted) {
  tellHouse("rail", wanted);
}

/** @param {string} name @param {string} value */
function tellHouse(name, value) {
  document.cookie = `${name}=${value}; path=/; max-age=${COOKIE_SECONDS}; samesite=lax`;
}

/** Fill what the HTML left open: `data-i18n` text, and `data-i18n-…` attributes. @param {ParentNode} root */
export function fill(root) {
  for (const element of root.querySelectorAll("[data-i18n]")) {
    element.textContent = t(element.getAttribute("data-i18n") ?? "");
  }
  for (const name of ["aria-label", "placeholder", "content"]) {
    for (const element of root.querySelectorAll(`[data-i18n-${name}]`)) {
      element.setAttribute(name, t(element.getAttribute(`data-i18n-${name}`) ?? ""));
    }
  }
}

/** @param {string} name @returns {Promise<import("../core/i18n.js").Catalogue>} */
async function catalogue(name) {
  try {
    const answer = await fetch(`/i18n/${name}.json`);
    return answer.ok ? await answer.json() : {};
  } catch {
    return {}; // Keys instead of words: ugly, but the picture plays.
  }
}
