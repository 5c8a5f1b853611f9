/**
 * Door: logging in.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { signUpPath } from "../core/next_path.js";
import { asProblem, Problem } from "../core/problem.js";
import { cameFrom, identity } from "../net/identity.js";
import { errorText, t } from "../net/words.js";
import { field, typed } from "./account_form.js";
import { LightElement } from "./light_element.js";

export class LogInForm extends LightElement {
  static properties = { problem: { state: true }, busy: { state: true } };

  constructor() {
    super();
    /** @type {unknown} */
    this.problem = null;
    this.busy = false;
  }

  render() {
    return html`<form novalidate @submit=${this.#onSubmit}>
      ${field({ name: "login_id", label: "account.login_id", type: "text", autocomplete: "username", problem: undefined })}
      ${field({ name: "password", label: "account.password", type: "password", autocomplete: "current-password", problem: undefined })}
      ${this.problem === null ? nothing : html`<p class="problem" role="alert">${errorText(this.problem)}</p>`}
      <button class="main" type="submit" aria-disabled=${this.busy}>${t("log_in.submit")}</button>
      <p class="other">${t("log_in.no_account")} <a href=${signUpPath(cameFrom())}>${t("nav.sign_up")}</a></p>
    </form>`;
  }

  /** @param {SubmitEvent} event */
  #onSubmit = async (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    if (!(form instanceof HTMLFormElement) || this.busy) return;
    this.busy = true;
    this.problem = null;
    try {
      await identity.logIn(typed(form, "login_id").trim(), typed(form, "password"));
      location.assign(cameFrom());
    } catch (error) {
      // What nobody's id or password can be is wrong, and no riddle.
      this.problem = /^wire\.(?:shape|too_large)$/.test(asProblem(error).code) ? new Problem("auth.bad_login") : error;
      this.busy = false;
    }
  };
}

customElements.define("log-in-form", LogInForm);
