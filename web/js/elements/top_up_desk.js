/**
 * Door: buying points: the packs, and the order that was made, until the house says how it ended.
 *
 * It never says "charged" before the house does. Which order it is stands in the address, so that a reload, the way back
 * from the payment page and a second window all show the same one.
 * Events: `settled` when an order ended or was left, so that balance and lists are asked for anew.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { waitMs } from "../core/backoff.js";
import { duration } from "../core/format.js";
import { asProblem, Problem } from "../core/problem.js";
import { ended, heard, moves, newTopUp, notPlaced, ordering, secondsLeft } from "../core/top_up.js";
import { newId } from "../net/ids.js";
import { order, placeOrder, products } from "../net/points_api.js";
import { watchOrder } from "../net/watch_order.js";
import { format, t } from "../net/words.js";
import * as actIcons from "./act_icons.js";
import { LightElement } from "./light_element.js";
import { refusal } from "./typed_form.js";

/** Somebody has just paid on a phone and looks at this page. */
const ASK_EVERY_MS = 2_000;
/** Streams that break one after the other; from then on the page asks. */
const BROKEN_STREAMS_MAX = 3;
const TICK_MS = 1_000;

/** @typedef {import("../core/top_up.js").Order} Order */
/** @typedef {Awaited<ReturnType<typeof products>>} PriceList */

export class TopUpDesk extends LightElement {
  static properties = { topUp: { state: true }, prices: { state: true }, problem: { state: true } };

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #asking;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #ticking;
  #failures = 0;
  /** The stream that tells of the order, while it stands. @type {{ id: string, stop: AbortController } | null} */
  #stream = null;
  #brokenStreams = 0;

  constructor() {
    super();
    this.topUp = newTopUp();
    /** @type {PriceList | null} */
    this.prices = null;
    /** Why the prices are not here. @type {unknown} */
    this.problem = null;
  }

  connectedCallback() {
    super.connectedCallback();
    document.addEventListener("visibilitychange", this.#look);
    this.#ticking = setInterval(() => this.requestUpdate(), TICK_MS);
    void this.#price();
    const asked = new URLSearchParams(location.search);
    const id = asked.get("order");
    if (id !== null) void this.#ask(id, asked.get("code"));
  }

  disconnectedCallback() {
    document.removeEventListener("visibilitychange", this.#look);
    clearInterval(this.#ticking);
    clearTimeout(this.#asking);
    this.#stream?.stop.abort();
    super.disconnectedCallback();
  }

  #price = async () => {
    try {
      this.prices = await products();
      this.problem = null;
    } catch (error) {
      this.problem = error;
    }
  };

  /** Back from the payment page: what does the house say now? */
  #look = () => {
    const { order: shown } = this.topUp;
    if (document.visibilityState === "visible" && shown !== null && moves(shown)) void this.#ask(shown.id);
  };

  /** @param {string} id @param {string | null} [code] what was wrong with the way back */
  async #ask(id, code = null) {
    clearTimeout(this.#asking);
    try {
      this.#told(await order(id), code);
    } catch (error) {
      const problem = asProblem(error);
      if (problem.code === "order.unknown" || problem.code === "wire.shape") {
        this.#begin();
        this.topUp = { ...newTopUp(), problem };
        return;
      }
      this.topUp = { ...this.topUp, problem };
      this.#asking = setTimeout(() => void this.#ask(id, code), waitMs(this.#failures++, Math.random()));
    }
  }

  /** @param {Order} told @param {string | null} [code] */
  #told(told, code = null) {
    const before = this.topUp.order;
    this.#failures = 0;
    this.topUp = { ...heard(this.topUp, told, performance.now()), problem: code === null ? null : new Problem(code) };
    history.replaceState(null, "", `?order=${encodeURIComponent(told.id)}`);
    if (moves(told)) {
      clearTimeout(this.#asking);
      if (this.#brokenStreams < BROKEN_STREAMS_MAX) void this.#hear(told.id, code);
      else if (document.visibilityState === "visible") this.#askSoon(told.id, code);
    } else if (before === null || moves(before)) {
      this.tell("settled");
    }
  }

  /** Be told of the order; where that is not to be had, ask. @param {string} id @param {string | null} code */
  async #hear(id, code) {
    if (this.#stream?.id === id) return;
    this.#stream?.stop.abort();
    const stream = { id, stop: new AbortController() };
    this.#stream = stream;
    const onOrder = (/** @type {Order} */ told) => {
      this.#brokenStreams = 0;
      if (this.#stream === stream) this.#told(told, code);
    };
    const ended = await watchOrder(id, onOrder, stream.stop.signal).catch(() => false);
    if (this.#stream !== stream) return;
    this.#stream = null;
    if (!ended) this.#brokenStreams += 1;
    const { order: shown } = this.topUp;
    if (shown !== null && shown.id === id && moves(shown)) this.#askSoon(id, code);
  }

  /** @param {string} id @param {string | null} code */
  #askSoon(id, code) {
    clearTimeout(this.#asking);
    this.#asking = setTimeout(() => void this.#ask(id, code), ASK_EVERY_MS);
  }

  /** @param {string} product */
  async #order(product) {
    if (this.topUp.stage === "ordering") return;
    const topUp = ordering(this.topUp, product, newId());
    this.topUp = topUp;
    // Before it is sent: a page that is left meanwhile comes back to the same order.
    history.replaceState(null, "", `?order=${topUp.id}`);
    try {
      this.#told(await placeOrder(topUp.id ?? "", topUp.product));
      await this.updateComplete;
      this.querySelector("h3")?.focus();
    } catch (error) {
      const refused = notPlaced(topUp, asProblem(error));
      if (refused.stage === "choosing") this.#begin();
      this.topUp = refused;
    }
  }

  /** The order that was left stands in the list, to go on with. */
  #another = () => {
    this.#begin();
    this.tell("settled");
  };

  #begin = () => {
    clearTimeout(this.#asking);
    this.#stream?.stop.abort();
    this.#stream = null;
    this.topUp = newTopUp();
    history.replaceState(null, "", location.pathname);
  };

  render() {
    const { stage, order: shown } = this.topUp;
    return html`
      <h2>${t("wallet.top_up")}</h2>
      ${this.prices?.payments === "sandbox" ? html`<p class="note sandbox">${t("wallet.sandbox")}</p>` : nothing}
      ${stage === "ordered" && shown !== null ? this.#ordered(shown) : this.#packs()}
      ${refusal(this.topUp.problem)}
      ${stage === "unanswered"
        ? html`<div class="row"><button type="button" @click=${() => this.#order(this.topUp.product)}>${t("wallet.ask_again")}</button>
            <span class="note">${t("wallet.ask_again_words")}</span></div>`
        : nothing}
    `;
  }

  #packs() {
    if (this.prices === null) {
      return this.problem === null
        ? html`<div class="packs" aria-busy="true">${[0, 1, 2, 3, 4, 5].map(() => html`<div class="ghost"></div>`)}</div>`
        : html`${refusal(this.problem)}<button type="button" class="quiet" @click=${this.#price}>${t("retry")}</button>`;
    }
    const { stage, product } = this.topUp;
    return html`<div class="packs">
      ${this.prices.products.map(
        ({ id, points, amount_won }) => html`<button class="pack" type="button" aria-disabled=${stage !== "choosing"} @click=${() => this.#order(id)}>
          <span class="points">${actIcons.paw}${t("chat.points", { count: points })}</span>
          <span class="price">${format.won(amount_won)}</span>
          ${stage === "ordering" && product === id ? html`<span class="spinner"></span>` : nothing}
        </button>`,
      )}
    </div>
    <p class="note">${t("wallet.vat")}</p>`;
  }

  /** @param {Order} shown */
  #ordered(shown) {
    return html`<div class="order" data-state=${shown.state}>
      <h3 tabindex="-1" role="status">${t(`order.state.${shown.state}`, { count: shown.points })}</h3>
      <p class="what">${t("chat.points", { count: shown.points })} <span aria-hidden="true">${"\u00b7"}</span> ${format.won(shown.amount_won)}</p>
      ${shown.pay === null ? nothing : this.#pay(shown, shown.pay)}
      ${moves(shown) && shown.pay === null ? html`<p class="note"><span class="spinner"></span> ${t("wallet.waiting")}</p>` : nothing}
      ${shown.state === "created" ? html`<button type="button" @click=${() => this.#again(shown)}>${t("wallet.ask_again")}</button>` : nothing}
      <button type="button" class=${ended(shown) ? "" : "quiet"} @click=${this.#another}>${t(ended(shown) ? "wallet.another" : "wallet.other_pack")}</button>
    </div>`;
  }

  /** The house has written it down but has no way to pay yet. @param {Order} shown */
  #again(shown) {
    this.topUp = { ...this.topUp, stage: /** @type {const} */ ("unanswered"), id: shown.id, product: shown.product };
    void this.#order(shown.product);
  }

  /** @param {Order} shown @param {NonNullable<Order["pay"]>} pay */
  #pay(shown, pay) {
    const seconds = secondsLeft(shown, this.topUp.heardAtMs, performance.now());
    const onPhone = matchMedia("(pointer: coarse)").matches;
    return html`<div class="pay">
      ${shown.qr === null || onPhone
        ? nothing
        : html`<img class="qr" src=${`data:image/svg+xml,${encodeURIComponent(shown.qr)}`} width="220" height="220" alt=${t("wallet.qr")}>`}
      <div class="ways">
        ${onPhone ? nothing : html`<p>${t("wallet.scan")}</p>`}
        <a class="button main" href=${onPhone ? pay.mobile : pay.pc}>${t(onPhone ? "wallet.pay_here" : "wallet.pay_page")}</a>
        ${onPhone ? nothing : html`<p class="note">${t("wallet.pay_page_words")}</p>`}
        <p class="left" role="timer">${t("wallet.time_left", { time: duration(seconds * 1000) })}</p>
      </div>
    </div>`;
  }
}

customElements.define("top-up-desk", TopUpDesk);
