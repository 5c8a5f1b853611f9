/**
 * Door: the devices that stay logged in, and how to log them out from here.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { asProblem } from "../core/problem.js";
import { endLogin, endOtherLogins, logins } from "../net/account_api.js";
import { format, t } from "../net/words.js";
import { LightElement } from "./light_element.js";
import { refusal } from "./typed_form.js";

/** @typedef {import("../net/account_api.js").Login} Login */

export class LoginList extends LightElement {
  static properties = { logins: { state: true }, problem: { state: true }, busy: { state: true }, ended: { state: true } };

  constructor() {
    super();
    /** @type {Login[] | null} */
    this.logins = null;
    /** @type {unknown} */
    this.problem = null;
    this.busy = false;
    this.ended = false;
  }

  connectedCallback() {
    super.connectedCallback();
    void this.refresh();
  }

  async refresh() {
    try {
      this.logins = (await logins()).logins;
    } catch (error) {
      this.problem = error;
    }
  }

  render() {
    const { logins: all } = this;
    return html`<section class="card" aria-busy=${all === null ? "true" : "false"}>
      <h2>${t("account.devices")}</h2>
      <p class="note">${t("account.devices_words")}</p>
      <ul class="lines">${all?.map((one) => this.#line(one))}</ul>
      ${refusal(this.problem)}
      <div class="row">
        ${all !== null && all.length > 1
          ? html`<button class="quiet" type="button" aria-disabled=${this.busy} @click=${() => this.#do(endOtherLogins)}>${t("account.end_others")}</button>`
          : nothing}
        <span class="said" role="status">${this.ended ? t("account.ended") : nothing}</span>
      </div>
    </section>`;
  }

  /** @param {Login} login */
  #line({ id, browser, system, began_at, used_at, current }) {
    const device = [browser, system].filter((name) => name !== "").join(" · ") || t("account.device_unknown");
    return html`<li>
      <span class="what">${device} ${current ? html`<span class="here">${t("account.device_here")}</span>` : nothing}</span>
      <span class="when"><span>${t("account.used", { when: format.day(used_at) })}</span><span>${t("account.since", { when: format.day(began_at) })}</span></span>
      ${current
        ? nothing
        : html`<button class="quiet small" type="button" aria-disabled=${this.busy} aria-label=${t("account.end_device", { device })} @click=${() => this.#do(() => endLogin(id))}>${t("nav.log_out")}</button>`}
    </li>`;
  }

  /** @param {() => Promise<unknown>} end */
  async #do(end) {
    this.busy = true;
    this.problem = null;
    this.ended = false;
    try {
      await end();
      this.ended = true;
    } catch (error) {
      // Ended already, from another place: the list below says so.
      if (asProblem(error).code === "login.unknown") this.ended = true;
      else this.problem = error;
    }
    await this.refresh();
    this.busy = false;
  }
}

customElements.define("login-list", LoginList);
