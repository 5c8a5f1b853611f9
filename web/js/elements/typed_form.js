/**
 * Door: what a form that members fill in does when it is refused: say why, and where a login has ended, keep what was
 * typed in the tab and show the way back.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { logInPath } from "../core/next_path.js";
import { asProblem } from "../core/problem.js";
import { keepField, keptField } from "../net/kept_draft.js";
import { errorText, t } from "../net/words.js";

/** A login has ended, not just been wrong; or another has begun. @param {unknown} problem */
function isLoggedOut(problem) {
  return /^auth\.(members_only|token_|other_member)/.test(asProblem(problem).code);
}

/** @typedef {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} Field */

/** @param {unknown} problem null: nothing is wrong @param {string} [words] for it, if they are not the catalogue's */
export function refusal(problem, words) {
  if (problem === null) return nothing;
  const back = isLoggedOut(problem) ? html` ${wayBack(asProblem(problem).code)}` : nothing;
  return html`<p class="problem" role="alert">${words ?? errorText(problem)}${back}</p>`;
}

/** @param {string} code */
function wayBack(code) {
  if (code === "auth.other_member") return html`<a href=${location.pathname + location.search}>${t("reload.do")}</a>`;
  return html`<a href=${logInPath(location.pathname + location.search)}>${t("nav.log_in")}</a>`;
}

/** No password and no file: those are typed and chosen anew. @param {HTMLFormElement} form @returns {Field[]} */
function typedFields(form) {
  return /** @type {Field[]} */ ([...form.elements]).filter((one) => /^(?:text|textarea|number|checkbox|select-one)$/.test(one.type));
}

/** @param {string} place @param {Field} field */
function placeOf(place, { type, name, value }) {
  return `${place}.${name}${type === "checkbox" ? `.${value}` : ""}`;
}

/** @param {string} place @param {Field} field */
function leftAt(place, field) {
  return `left.${placeOf(place, field)}`;
}

/** Not come to anew: loaded again, or by the way back. */
function isBack() {
  const [came] = performance.getEntriesByType("navigation");
  return came instanceof PerformanceNavigationTiming && /^(?:reload|back_forward)$/.test(came.type);
}

/** As it is now. @param {Field} field @returns {string} */
function entered(field) {
  return field instanceof HTMLInputElement && field.type === "checkbox" ? String(field.checked) : field.value;
}

/** As the house had it. @param {Field} field @returns {string} */
function shown(field) {
  if (field instanceof HTMLSelectElement) return [...field.options].find((option) => option.defaultSelected)?.value ?? "";
  return field instanceof HTMLInputElement && field.type === "checkbox" ? String(field.defaultChecked) : field.defaultValue;
}

/** As it was when it was saved: the house may put it in other words. @type {WeakMap<Field, string>} */
const arrived = new WeakMap();

/**
 * What was typed or chosen waits for the next login, or has arrived. Not what was only shown: it may be another by then.
 * @param {HTMLFormElement} form
 * @param {string} place whose form it is
 * @param {unknown} problem null: it has arrived
 */
export function keepTyped(form, place, problem) {
  for (const field of typedFields(form)) {
    const now = entered(field);
    if (problem === null) arrived.set(field, now);
    if (problem === null || now === shown(field)) keepField(placeOf(place, field), null);
    else if (isLoggedOut(problem)) keepField(placeOf(place, field), now);
  }
}

/** @param {Field} field @returns {string | null} null: the house has it */
function unsaved(field) {
  const now = entered(field);
  return now === shown(field) || now === arrived.get(field) ? null : now;
}

/** Whose form each is. @type {WeakMap<HTMLFormElement, string>} */
const places = new WeakMap();

addEventListener("pagehide", () => {
  for (const form of document.forms) {
    const place = places.get(form);
    if (place !== undefined) for (const field of typedFields(form)) keepField(leftAt(place, field), unsaved(field));
  }
});

/**
 * What was kept for a login, and, as a browser does by itself where no script draws, what stood there before the page was
 * loaded again or come back to.
 * @param {HTMLFormElement} form that has just been drawn
 * @param {string} place
 */
export function fillTyped(form, place) {
  places.set(form, place);
  for (const field of typedFields(form)) {
    const kept = keptField(placeOf(place, field)) ?? (isBack() ? keptField(leftAt(place, field)) : null);
    keepField(leftAt(place, field), null);
    if (kept === null) continue; // Untouched: what the house says later may still stand there.
    if (field instanceof HTMLInputElement && field.type === "checkbox") field.checked = kept === "true";
    else if (!(field instanceof HTMLSelectElement) || [...field.options].some(({ value }) => value === kept)) field.value = kept;
  }
}
