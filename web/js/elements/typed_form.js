/**
 * Door: what a form that members fill in does when it is refused: say why, and where a login has ended, keep what was
 * typed in the tab and show the way back.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { logInPath } from "../core/next_path.js";
import { asProblem } from "../core/problem.js";
import { keepDraft, keptDraft } from "../net/kept_draft.js";
import { errorText, t } from "../net/words.js";

/** A login has ended, not just been wrong. @param {unknown} problem */
function isLoggedOut(problem) {
  return /^auth\.(members_only|token_)/.test(asProblem(problem).code);
}

/** @param {unknown} problem null: nothing is wrong @param {string} [words] for it, if they are not the catalogue's */
export function refusal(problem, words) {
  if (problem === null) return nothing;
  const back = isLoggedOut(problem) ? html` <a href=${logInPath(location.pathname)}>${t("nav.log_in")}</a>` : nothing;
  return html`<p class="problem" role="alert">${words ?? errorText(problem)}${back}</p>`;
}

/** No password and no file: those are typed and chosen anew. @param {HTMLFormElement} form */
function typedFields(form) {
  return [...form.elements].filter(
    (one) => one instanceof HTMLTextAreaElement || (one instanceof HTMLInputElement && /^(?:text|number)$/.test(one.type)),
  );
}

/**
 * What was typed waits for the next login, or has arrived. Not what was only shown: it may be another by then.
 * @param {HTMLFormElement} form
 * @param {string} place whose form it is
 * @param {unknown} problem null: it has arrived
 */
export function keepTyped(form, place, problem) {
  for (const { name, value, defaultValue } of /** @type {HTMLInputElement[]} */ (typedFields(form))) {
    if (problem === null || value === defaultValue) keepDraft(`${place}.${name}`, "");
    else if (isLoggedOut(problem)) keepDraft(`${place}.${name}`, value);
  }
}

/** @param {HTMLFormElement} form that has just been drawn @param {string} place */
export function fillTyped(form, place) {
  for (const field of /** @type {HTMLInputElement[]} */ (typedFields(form))) {
    const kept = keptDraft(`${place}.${field.name}`);
    if (kept !== "") field.value = kept; // Else untouched: what the house says later may still stand there.
  }
}
