/**
 * Door: what a streamer was given: as it comes, page by page, and given back where it was a mistake.
 * @module
 */

import { createRef, html, nothing, ref } from "/js/vendor/lit.js";
import { points } from "../net/points_api.js";
import { donationsTo, returnDonation } from "../net/studio_api.js";
import { format, t } from "../net/words.js";
import { LightElement } from "./light_element.js";
import { refusal } from "./typed_form.js";

/** @typedef {import("../net/studio_api.js").ReceivedDonation} ReceivedDonation */

export class ReceivedDonations extends LightElement {
  static properties = {
    nickname: {},
    money: { state: true },
    asked: { state: true },
    problem: { state: true },
  };

  /** @type {import("lit/directives/ref.js").Ref<HTMLDialogElement>} */
  #sure = createRef();

  #busy = false;

  constructor() {
    super();
    this.nickname = "";
    /** @type {{ earnings: number, donations: ReceivedDonation[], next: string | null } | null} */
    this.money = null;
    /** The donation that is to go back. @type {ReceivedDonation | null} */
    this.asked = null;
    /** @type {unknown} */
    this.problem = null;
  }

  connectedCallback() {
    super.connectedCallback();
    void this.refresh();
  }

  /** Ask for the newest anew: something was given. */
  async refresh() {
    try {
      const [{ earnings }, { donations, next }] = await Promise.all([points(), donationsTo(this.nickname)]);
      this.money = { earnings, donations, next };
    } catch {
      // The desk works without it; it is asked again with the next donation.
    }
  }

  render() {
    if (this.money === null) return nothing;
    const { earnings, donations, next } = this.money;
    return html`<section class="card given">
      <h2>${t("studio.given")}</h2>
      <p class="sum">${t("studio.earnings", { count: earnings })}</p>
      ${donations.length === 0 ? html`<p class="note">${t("studio.nothing_given")}</p>` : html`<ul>${donations.map((one) => this.#line(one))}</ul>`}
      ${next === null ? nothing : html`<button class="quiet" type="button" @click=${() => this.#more(next)}>${t("more")}</button>`}
      <dialog ${ref(this.#sure)} aria-labelledby="return-title">
        <h2 id="return-title">${t("studio.return_title")}</h2>
        <p>${this.asked === null ? nothing : t("studio.return_words", { count: this.asked.points, nickname: this.asked.from || t("chat.anonymous") })}</p>
        ${refusal(this.problem)}
        <div class="row">
          <button class="quiet" type="button" autofocus @click=${() => this.#sure.value?.close()}>${t("cancel")}</button>
          <button type="button" @click=${this.#return}>${t("studio.return")}</button>
        </div>
      </dialog>
    </section>`;
  }

  /** @param {ReceivedDonation} one */
  #line(one) {
    const { from, points: amount, text, at, refunded } = one;
    return html`<li ?data-refunded=${refunded}>
      <bdi class="name">${from || t("chat.anonymous")}</bdi><span class="points">${t("chat.points", { count: amount })}</span>
      <time datetime=${at}>${format.day(at)}</time>
      ${text === "" ? nothing : html`<bdi class="text">${text}</bdi>`}
      ${refunded
        ? html`<span class="note">${t("studio.returned")}</span>`
        : html`<button class="quiet small" type="button" @click=${() => this.#ask(one)}>${t("studio.return")}</button>`}
    </li>`;
  }

  /** @param {ReceivedDonation} one */
  #ask(one) {
    this.asked = one;
    this.problem = null;
    this.#sure.value?.showModal();
  }

  #return = async () => {
    if (this.asked === null || this.#busy) return;
    this.#busy = true; // Of two clicks the second would be told that it has gone back already.
    this.problem = null;
    try {
      await returnDonation(this.nickname, this.asked.id);
      this.#sure.value?.close();
      await this.refresh();
    } catch (error) {
      this.problem = error;
    }
    this.#busy = false;
  };

  /** @param {string} cursor */
  async #more(cursor) {
    const before = this.money;
    const { donations, next } = await donationsTo(this.nickname, cursor).catch(() => ({ donations: [], next: cursor }));
    if (before !== null && before === this.money) this.money = { ...before, donations: [...before.donations, ...donations], next };
  }
}

customElements.define("received-donations", ReceivedDonations);
