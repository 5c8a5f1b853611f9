/**
 * Door: what the log-in and the sign-up form have in common: fields that say what is wrong with them, in our words.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { t } from "../net/words.js";

/**
 * @param {object} field
 * @param {string} field.name
 * @param {string} field.label key of the label
 * @param {string} [field.hint] key of a sentence that helps before anything is wrong
 * @param {string} field.type
 * @param {string} field.autocomplete
 * @param {string | undefined} field.problem a sentence, when something is wrong
 */
export function field({ name, label, hint, type, autocomplete, problem }) {
  const below = problem ?? (hint === undefined ? undefined : t(hint));
  return html`<div class="field">
    <label for=${name}>${t(label)}</label>
    <input id=${name} name=${name} type=${type} autocomplete=${autocomplete} autocapitalize="none" spellcheck="false" required
      aria-describedby=${below === undefined ? nothing : `${name}-below`} aria-invalid=${problem === undefined ? "false" : "true"}>
    ${below === undefined ? nothing : html`<p class=${problem === undefined ? "hint" : "problem"} id="${name}-below">${below}</p>`}
  </div>`;
}

/** @param {HTMLFormElement} form @param {string} name @returns {string} */
export function typed(form, name) {
  return String(new FormData(form).get(name) ?? "");
}
