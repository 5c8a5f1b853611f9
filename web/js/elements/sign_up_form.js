/**
 * Door: becoming a member; the stream key is shown here, once.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { faults, fieldOf, FIELDS } from "../core/account.js";
import { logInPath } from "../core/next_path.js";
import { asProblem, Problem } from "../core/problem.js";
import { signUp } from "../net/api.js";
import { cameFrom, identity } from "../net/identity.js";
import { errorText, t } from "../net/words.js";
import { field, typed } from "./account_form.js";
import "./copy_field.js";
import { LightElement } from "./light_element.js";
import { fillTyped } from "./typed_form.js";

/** @typedef {import("../core/account.js").Field} Field */

export class SignUpForm extends LightElement {
  static properties = { problems: { state: true }, problem: { state: true }, busy: { state: true }, made: { state: true } };

  constructor() {
    super();
    /** @type {Partial<Record<Field, Problem>>} */
    this.problems = {};
    /** @type {unknown} */
    this.problem = null;
    this.busy = false;
    /** @type {{ nickname: string, stream_server: string, stream_key: string } | null} */
    this.made = null;
  }

  /** The page is loaded again for its other language. */
  firstUpdated() {
    const form = this.querySelector("form");
    if (form !== null) fillTyped(form, "sign_up");
  }

  render() {
    if (this.made !== null) return this.#welcome(this.made);
    /** @param {Field} name */
    const wrong = (name) => (this.problems[name] === undefined ? undefined : errorText(this.problems[name]));
    return html`<form novalidate @submit=${this.#onSubmit}>
      ${field({ name: "login_id", label: "account.login_id", hint: "account.login_id_hint", type: "text", autocomplete: "username", problem: wrong("login_id") })}
      ${field({ name: "password", label: "account.password", hint: "account.password_hint", type: "password", autocomplete: "new-password", problem: wrong("password") })}
      ${field({ name: "nickname", label: "account.nickname", hint: "account.nickname_hint", type: "text", autocomplete: "nickname", problem: wrong("nickname") })}
      ${this.problem === null ? nothing : html`<p class="problem" role="alert">${errorText(this.problem)}</p>`}
      <button class="main" type="submit" aria-disabled=${this.busy}>${t("sign_up.submit")}</button>
      <p class="other">${t("sign_up.has_account")} <a href=${logInPath(cameFrom())}>${t("nav.log_in")}</a></p>
    </form>`;
  }

  /** @param {{ nickname: string, stream_server: string, stream_key: string }} made */
  #welcome({ nickname, stream_server, stream_key }) {
    const back = cameFrom();
    const ways = html`<div class="row">
      <a class="button main" href=${back}>${t(back === "/" ? "sign_up.go_watch" : "sign_up.go_back")}</a>
      <a class="button quiet" href="/studio">${t("sign_up.go_studio")}</a>
    </div>`;
    // Who was on the way somewhere goes on at once; what only a streamer needs comes after that.
    return html`<div class="welcome">
      <h2 tabindex="-1">${t("sign_up.welcome", { nickname })}</h2>
      ${back === "/" ? nothing : ways}
      <p>${t("sign_up.key_once")}</p>
      <copy-field .label=${t("studio.server")} .value=${stream_server}></copy-field>
      <copy-field .label=${t("studio.key")} .value=${stream_key} secret></copy-field>
      ${back === "/" ? ways : nothing}
    </div>`;
  }

  /** @param {SubmitEvent} event */
  #onSubmit = async (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    if (!(form instanceof HTMLFormElement) || this.busy) return;
    const account = {
      login_id: typed(form, "login_id").trim(),
      password: typed(form, "password"),
      nickname: typed(form, "nickname").trim().normalize("NFC"),
    };
    this.problem = null;
    this.problems = Object.fromEntries(Object.entries(faults(account)).map(([name, code]) => [name, new Problem(code)]));
    if (Object.keys(this.problems).length > 0) return this.#toFirstFault(form);
    this.busy = true;
    let made;
    try {
      made = await signUp(account);
    } catch (error) {
      this.#refused(error);
      this.busy = false;
      return this.#toFirstFault(form);
    }
    // The account stands. If logging in does not work now, it will on the next page; the way there is shown after it.
    await identity.logIn(account.login_id, account.password).catch(() => null);
    this.made = made;
    await this.updateComplete;
    this.querySelector("h2")?.focus();
  };

  /** @param {unknown} error */
  #refused(error) {
    const problem = asProblem(error);
    const name = fieldOf(problem);
    if (name === null) this.problem = problem;
    else this.problems = { [name]: problem };
  }

  /** @param {HTMLFormElement} form */
  async #toFirstFault(form) {
    await this.updateComplete;
    const first = FIELDS.find((name) => this.problems[name] !== undefined);
    const input = first === undefined ? null : form.elements.namedItem(first);
    if (input instanceof HTMLInputElement) input.focus();
  }
}

customElements.define("sign-up-form", SignUpForm);
