/**
 * Door: one's points: what is there, how to get more, what was bought and where they went.
 * @module
 */

import { createRef, html, nothing, ref } from "/js/vendor/lit.js";
import { refundable } from "../core/top_up.js";
import { orders, points, pointsHistory, refundOrder } from "../net/points_api.js";
import { errorText, format, t } from "../net/words.js";
import { LightElement } from "./light_element.js";
import "./top_up_desk.js";
import { refusal } from "./typed_form.js";

/** @typedef {import("../core/top_up.js").Order} Order */
/** @typedef {import("../net/points_api.js").Entry} Entry */
/** @template T @typedef {{ lines: T[], next: string | null }} Pages */

export class WalletDesk extends LightElement {
  static properties = {
    balance: { state: true },
    bought: { state: true },
    moved: { state: true },
    problem: { state: true },
    asked: { state: true },
    refundProblem: { state: true },
    busy: { state: true },
  };

  /** @type {import("lit/directives/ref.js").Ref<HTMLDialogElement>} */
  #sure = createRef();

  constructor() {
    super();
    /** @type {{ balance: number, earnings: number } | null} */
    this.balance = null;
    /** @type {Pages<Order> | null} */
    this.bought = null;
    /** @type {Pages<Entry> | null} */
    this.moved = null;
    /** @type {unknown} */
    this.problem = null;
    /** The order that is to be given back. @type {Order | null} */
    this.asked = null;
    /** @type {unknown} */
    this.refundProblem = null;
    this.busy = false;
  }

  connectedCallback() {
    super.connectedCallback();
    void this.#load();
  }

  #load = async () => {
    try {
      const [balance, bought, moved] = await Promise.all([points(), orders(), pointsHistory()]);
      this.balance = balance;
      this.bought = { lines: bought.orders, next: bought.next };
      this.moved = { lines: moved.entries, next: moved.next };
      this.problem = null;
    } catch (error) {
      this.problem = error;
    }
  };

  render() {
    return html`<div class="purse">
      <section class="card balance" aria-busy=${this.balance === null ? "true" : "false"}>
        <p>${t("wallet.balance")}</p>
        <p class="sum">${this.balance === null ? "\u2026" : format.count(this.balance.balance)}<span>${t("wallet.unit")}</span></p>
        ${this.problem === null ? nothing : html`<p class="problem" role="alert">${errorText(this.problem)}</p>
          <button type="button" class="quiet" @click=${this.#load}>${t("retry")}</button>`}
      </section>
      <section class="card"><top-up-desk @settled=${this.#load}></top-up-desk></section>
      </div>
      <div class="books">
        ${this.bought === null ? nothing : this.#orders(this.bought)}
        ${this.moved === null ? nothing : this.#history(this.moved)}
      </div>
      ${this.#dialog()}
    `;
  }

  /** @param {Pages<Order>} bought */
  #orders({ lines, next }) {
    if (lines.length === 0) return nothing;
    return html`<section class="card">
      <h2>${t("wallet.orders")}</h2>
      <ul class="lines">${lines.map(
        (one) => html`<li data-state=${one.state}>
          <span class="what">${t("chat.points", { count: one.points })}</span>
          <span class="amount">${format.won(one.amount_won)}</span>
          <span class="state">${t(`order.state.${one.state}`, { count: one.points })}</span>
          <time datetime=${one.created_at}>${format.day(one.created_at)}</time>
          ${one.receipt === null ? nothing : html`<span class="receipt">${t("wallet.receipt", { number: one.receipt, vat: format.won(one.vat_won) })}</span>`}
          ${one.state === "ready" ? html`<a class="button quiet small" href=${`/wallet?order=${one.id}`}>${t("wallet.go_on")}</a>` : nothing}
          ${refundable(one) ? html`<button type="button" class="quiet small" @click=${() => this.#askRefund(one)}>${t("wallet.refund")}</button>` : nothing}
        </li>`,
      )}</ul>
      ${next === null ? nothing : html`<button type="button" class="quiet" @click=${() => this.#moreOrders(next)}>${t("more")}</button>`}
    </section>`;
  }

  /** @param {Pages<Entry>} moved */
  #history({ lines, next }) {
    return html`<section class="card">
      <h2>${t("wallet.history")}</h2>
      ${lines.length === 0 ? html`<p class="note">${t("wallet.nothing_yet")}</p>` : nothing}
      <ul class="lines">${lines.map(
        ({ kind, account, points: amount, balance, nickname, text, at }) => html`<li>
          <span class="what">${t(`wallet.kind.${kind}`)}${nickname === null ? nothing : html` <bdi>${nickname}</bdi>`}</span>
          <span class="amount" ?data-plus=${amount > 0}>${amount > 0 ? "+" : ""}${format.count(amount)}</span>
          <span class="state">${t(account === "earnings" ? "wallet.earnings_then" : "wallet.balance_then", { count: balance })}</span>
          <time datetime=${at}>${format.day(at)}</time>
          ${text === "" ? nothing : html`<bdi class="receipt">${text}</bdi>`}
        </li>`,
      )}</ul>
      ${next === null ? nothing : html`<button type="button" class="quiet" @click=${() => this.#moreHistory(next)}>${t("more")}</button>`}
    </section>`;
  }

  #dialog() {
    const { asked } = this;
    return html`<dialog ${ref(this.#sure)} aria-labelledby="refund-title">
      <h2 id="refund-title">${t("wallet.refund_title")}</h2>
      <p>${asked === null ? nothing : t("wallet.refund_words", { count: asked.points, amount: format.won(asked.amount_won) })}</p>
      ${refusal(this.refundProblem)}
      <div class="row">
        <button class="quiet" type="button" autofocus @click=${() => this.#sure.value?.close()}>${t("cancel")}</button>
        <button type="button" aria-disabled=${this.busy} @click=${this.#refund}>${t("wallet.refund")}</button>
      </div>
    </dialog>`;
  }

  /** @param {Order} asked */
  #askRefund(asked) {
    this.asked = asked;
    this.refundProblem = null;
    this.#sure.value?.showModal();
  }

  #refund = async () => {
    if (this.asked === null || this.busy) return;
    this.busy = true;
    this.refundProblem = null;
    try {
      await refundOrder(this.asked.id);
      this.#sure.value?.close();
      await this.#load();
    } catch (error) {
      this.refundProblem = error;
    }
    this.busy = false;
  };

  /** @param {string} cursor */
  async #moreOrders(cursor) {
    await this.#more(async () => {
      const { orders: lines, next } = await orders(cursor);
      this.bought = { lines: [...(this.bought?.lines ?? []), ...lines], next };
    });
  }

  /** @param {string} cursor */
  async #moreHistory(cursor) {
    await this.#more(async () => {
      const { entries, next } = await pointsHistory(cursor);
      this.moved = { lines: [...(this.moved?.lines ?? []), ...entries], next };
    });
  }

  /** @param {() => Promise<void>} ask */
  async #more(ask) {
    if (this.busy) return; // The same page twice.
    this.busy = true;
    try {
      await ask();
      this.problem = null;
    } catch (error) {
      this.problem = error;
    }
    this.busy = false;
  }
}

customElements.define("wallet-desk", WalletDesk);
