/**
 * Door: leaving for good: what goes, what stays and why; then one's own name and password, so that nobody does it by mistake.
 * @module
 */

import { createRef, html, nothing, ref } from "/js/vendor/lit.js";
import { asProblem, Problem } from "../core/problem.js";
import { leave } from "../net/account_api.js";
import { identity } from "../net/identity.js";
import { points } from "../net/points_api.js";
import { errorText, t } from "../net/words.js";
import { field, typed } from "./account_form.js";
import { LightElement } from "./light_element.js";
import { refusal } from "./typed_form.js";

export class LeaveForm extends LightElement {
  static properties = { balance: { state: true }, problem: { state: true }, busy: { state: true } };

  /** @type {import("lit/directives/ref.js").Ref<HTMLDialogElement>} */
  #dialog = createRef();

  constructor() {
    super();
    /** What would be lost. @type {{ balance: number, earnings: number } | null} */
    this.balance = null;
    /** @type {Problem | null} */
    this.problem = null;
    this.busy = false;
  }

  render() {
    return html`<section class="card leave">
      <h2>${t("account.leave")}</h2>
      <ul class="facts">
        <li>${t("account.leave_goes")}</li>
        <li>${t("account.leave_stays")}</li>
        <li>${t("account.leave_name")}</li>
      </ul>
      <div class="row"><button class="quiet danger" type="button" @click=${this.#open}>${t("account.leave_open")}</button></div>
      ${this.#form()}
    </section>`;
  }

  #form() {
    const wrong = (/** @type {string} */ name) => (this.problem?.field === name ? errorText(this.problem) : undefined);
    const name = this.problem?.field === "nickname" ? t("account.leave_wrong_name") : undefined;
    const whole = this.problem !== null && name === undefined && wrong("password") === undefined;
    const lost = this.balance === null ? 0 : this.balance.balance + this.balance.earnings;
    return html`<dialog ${ref(this.#dialog)} aria-labelledby="leave-title">
      <h2 id="leave-title">${t("account.leave_title")}</h2>
      <p>${t("account.leave_words")}</p>
      ${lost === 0 ? nothing : html`<p class="lost">${t("account.leave_lost", { count: lost })}</p>`}
      <form novalidate @submit=${this.#onSubmit}>
        ${field({ name: "leave_nickname", label: "account.leave_type", hint: "account.leave_type_hint", type: "text", autocomplete: "off", problem: name })}
        ${field({ name: "leave_password", label: "account.password", type: "password", autocomplete: "current-password", problem: wrong("password") })}
        ${whole ? refusal(this.problem, this.problem?.code === "order.state" ? t("account.leave_money") : undefined) : nothing}
        <div class="row">
          <button class="quiet" type="button" @click=${() => this.#dialog.value?.close()}>${t("cancel")}</button>
          <button class="danger" type="submit" aria-disabled=${this.busy}>${t("account.leave_do")}</button>
        </div>
      </form>
    </dialog>`;
  }

  #open = async () => {
    this.problem = null;
    this.#dialog.value?.showModal();
    this.balance = await points().catch(() => null);
  };

  /** @param {SubmitEvent} event */
  #onSubmit = async (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    if (!(form instanceof HTMLFormElement) || this.busy) return;
    const typedName = typed(form, "leave_nickname").trim().normalize("NFC");
    this.problem = typedName === identity.nickname ? null : new Problem("wire.shape", { field: "nickname" });
    if (this.problem === null) await this.#leave(typed(form, "leave_password"));
    if (this.problem === null) return;
    await this.updateComplete;
    const first = form.querySelector("[aria-invalid=true]");
    if (first instanceof HTMLElement) first.focus();
  };

  /** @param {string} password */
  async #leave(password) {
    this.busy = true;
    try {
      await leave(password);
      await identity.logOut();
      location.assign("/");
    } catch (error) {
      this.problem = asProblem(error);
      this.busy = false;
    }
  }
}

customElements.define("leave-form", LeaveForm);
