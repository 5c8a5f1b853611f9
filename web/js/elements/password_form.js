/**
 * Door: another password; whoever was logged in elsewhere by the old one is logged out, and what he may have made ends.
 *
 * Events: `changed`.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { passwordFault } from "../core/account.js";
import { asProblem, Problem } from "../core/problem.js";
import { changePassword } from "../net/account_api.js";
import { errorText, t } from "../net/words.js";
import { field, typed } from "./account_form.js";
import { LightElement } from "./light_element.js";
import { refusal } from "./typed_form.js";

export class PasswordForm extends LightElement {
  static properties = { problem: { state: true }, busy: { state: true }, done: { state: true } };

  constructor() {
    super();
    /** @type {Problem | null} */
    this.problem = null;
    this.busy = false;
    /** What to say when it is. @type {string | null} */
    this.done = null;
  }

  render() {
    const wrong = (/** @type {string} */ name) => (this.problem?.field === name ? errorText(this.problem) : undefined);
    const whole = this.problem !== null && wrong("old_password") === undefined && wrong("password") === undefined;
    return html`<section class="card">
      <h2>${t("account.change_password")}</h2>
      <form novalidate @submit=${this.#onSubmit} @input=${() => (this.done = null)}>
        ${field({ name: "old_password", label: "account.old_password", type: "password", autocomplete: "current-password", problem: wrong("old_password") })}
        ${field({ name: "password", label: "account.new_password", hint: "account.password_hint", type: "password", autocomplete: "new-password", problem: wrong("password") })}
        <label class="check"><input name="revoke" type="checkbox" checked aria-describedby="revoke-below">${t("account.revoke_all")}</label>
        <p class="hint" id="revoke-below">${t("account.revoke_all_words")}</p>
        ${whole ? refusal(this.problem) : nothing}
        <div class="row">
          <button type="submit" aria-disabled=${this.busy}>${t("account.change")}</button>
          <span class="said" role="status">${this.done === null ? nothing : t(this.done)}</span>
        </div>
      </form>
    </section>`;
  }

  /** @param {SubmitEvent} event */
  #onSubmit = async (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    if (!(form instanceof HTMLFormElement) || this.busy) return;
    this.done = null;
    const fault = passwordFault(typed(form, "password"));
    this.problem = fault === null ? null : new Problem(fault, { field: "password" });
    if (this.problem === null) await this.#send(form);
    if (this.problem !== null) {
      await this.updateComplete;
      const first = form.querySelector("[aria-invalid=true]");
      if (first instanceof HTMLElement) first.focus();
    }
  };

  /** @param {HTMLFormElement} form */
  async #send(form) {
    this.busy = true;
    try {
      const revokes = typed(form, "revoke") !== "";
      await changePassword(typed(form, "old_password"), typed(form, "password"), !revokes);
      form.reset();
      this.done = revokes ? "account.password_changed_all" : "account.password_changed";
      this.tell("changed");
    } catch (error) {
      this.problem = asProblem(error);
    }
    this.busy = false;
  }
}

customElements.define("password-form", PasswordForm);
