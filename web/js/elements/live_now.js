/**
 * Door: who is on air, as pictures to go to: those one follows first, the rest as it is searched and chosen.
 *
 * What is searched stands in the address, so that the way back from a channel leads to the same list.
 * @module
 */

import { html, live, nothing, repeat } from "/js/vendor/lit.js";
import { arranged } from "../core/live_list.js";
import { following } from "../net/following.js";
import { onAir } from "../net/on_air.js";
import { errorText, format, t } from "../net/words.js";
import "./channel_card.js";
import * as icons from "./icons.js";
import { LightElement } from "./light_element.js";

/** Somebody who goes on air is seen by those who wait within this time. */
const ASK_EVERY_MS = 15_000;
/** Followed ones who are off air, as faces: more are on their own pages. */
const RESTING_MAX = 24;
/** Of what is searched, in the address: a whole page that was pasted would be refused with it when it is loaded anew. */
const QUERY_CHARACTERS_MAX = 100;

/** @typedef {import("../net/api.js").Channel} Channel */

export class LiveNow extends LightElement {
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  #wish = { query: "", category: "" };

  connectedCallback() {
    super.connectedCallback();
    const asked = new URLSearchParams(location.search);
    this.#wish = { query: asked.get("q") ?? "", category: asked.get("category") ?? "" };
    document.addEventListener("visibilitychange", this.#ask);
    following.addEventListener("change", this.#redraw);
    onAir.addEventListener("change", this.#redraw);
    this.#timer = setInterval(this.#ask, ASK_EVERY_MS);
    void this.#ask();
    void following.ask();
  }

  disconnectedCallback() {
    document.removeEventListener("visibilitychange", this.#ask);
    following.removeEventListener("change", this.#redraw);
    onAir.removeEventListener("change", this.#redraw);
    clearInterval(this.#timer);
    super.disconnectedCallback();
  }

  #redraw = () => this.requestUpdate();

  #ask = () => onAir.ask();

  render() {
    return html`${this.#search()} ${this.#lists()}`;
  }

  #lists() {
    if (onAir.channels !== null) return this.#found(onAir.channels);
    if (onAir.problem !== null) {
      return html`<div class="empty" role="alert">
        <p>${errorText(onAir.problem)}</p>
        <button type="button" @click=${this.#ask}>${t("retry")}</button>
      </div>`;
    }
    return html`<div class="grid" aria-busy="true">
      ${[0, 1, 2].map(() => html`<div class="ghost"><span></span><span></span></div>`)}
    </div>`;
  }

  #search() {
    return html`<search>
      <form class="finder" @submit=${this.#onSubmit}>
        <label class="visually-hidden" for="search">${t("home.search")}</label>
        ${icons.search}
        <input id="search" type="search" name="q" placeholder=${t("home.search")} autocomplete="off" enterkeyhint="search"
          .value=${live(this.#wish.query)} @input=${this.#onQuery}>
      </form>
    </search>`;
  }

  /** @param {readonly Channel[]} channels */
  #found(channels) {
    const names = following.names ?? new Set();
    const { followed, others, categories } = arranged(channels, names, this.#wish);
    const wished = this.#wish.query !== "" || this.#wish.category !== "";
    const count = followed.length + others.length;
    return html`
      ${this.#categories(categories)}
      <p class="visually-hidden" role="status">${wished ? t("home.found", { count }) : nothing}</p>
      ${followed.length === 0 ? nothing : this.#section(t("home.following"), followed)}
      ${others.length > 0 || followed.length > 0 || wished ? nothing : this.#nobody()}
      ${wished && count === 0 ? this.#nothingFound() : nothing}
      ${others.length === 0 ? nothing : this.#section(t("home.live_now"), others)}
      ${wished ? nothing : this.#resting(channels, names)}
    `;
  }

  /** @param {string[]} categories */
  #categories(categories) {
    if (categories.length === 0) return nothing;
    const chip = (/** @type {string} */ name, /** @type {string} */ label) => html`<button class="chip" type="button"
      aria-pressed=${this.#wish.category === name} @click=${() => this.#become({ category: name })}>${label}</button>`;
    return html`<div class="categories" role="group" aria-label=${t("home.categories")}>
      ${chip("", t("home.category_all"))} ${categories.map((name) => chip(name, name))}
    </div>`;
  }

  /** @param {string} heading @param {Channel[]} channels */
  #section(heading, channels) {
    return html`<section>
      <h2>${heading}<span class="count">${format.count(channels.length)}</span></h2>
      <ul class="grid">
        ${repeat(
          channels,
          (channel) => channel.nickname,
          (channel) => html`<li><channel-card .channel=${channel}></channel-card></li>`,
        )}
      </ul>
    </section>`;
  }

  /** Followed, but not on air now. @param {readonly Channel[]} channels @param {ReadonlySet<string>} names */
  #resting(channels, names) {
    const awake = new Set(channels.map(({ nickname }) => nickname));
    const asleep = [...names].filter((name) => !awake.has(name)).slice(0, RESTING_MAX);
    if (asleep.length === 0) return nothing;
    return html`<section class="asleep">
      <h2>${t("home.resting")}</h2>
      <ul class="resting">${asleep.map(
        (name) => html`<li><a href=${`/c/${encodeURIComponent(name)}`}><span class="face" aria-hidden="true">${icons.cat(name)}</span><span>${name}</span></a></li>`,
      )}</ul>
    </section>`;
  }

  #nobody() {
    return html`<div class="empty">
      ${icons.sleepingCat}
      <h2>${t("home.empty.title")}</h2>
      <p>${t("home.empty.words")}</p>
      <a class="button" href="/studio">${t("home.empty.go_live")}</a>
    </div>`;
  }

  #nothingFound() {
    return html`<div class="empty">
      ${icons.sleepingCat}
      <h2>${t("home.nothing.title")}</h2>
      <p>${t("home.nothing.words")}</p>
      <button type="button" class="quiet" @click=${() => this.#become({ query: "", category: "" })}>${t("home.nothing.all")}</button>
    </div>`;
  }

  /** @param {SubmitEvent} event */
  #onSubmit = (event) => event.preventDefault();

  /** @param {InputEvent} event */
  #onQuery = (event) => {
    if (event.target instanceof HTMLInputElement) this.#become({ query: event.target.value });
  };

  /** @param {{ query?: string, category?: string }} change */
  #become(change) {
    this.#wish = { ...this.#wish, ...change };
    const asked = new URLSearchParams();
    const query = [...this.#wish.query.trim()].slice(0, QUERY_CHARACTERS_MAX).join("");
    if (query !== "") asked.set("q", query);
    if (this.#wish.category !== "") asked.set("category", this.#wish.category);
    this.requestUpdate(); // First: Safari refuses the hundredth address in half a minute.
    history.replaceState(null, "", asked.size === 0 ? location.pathname : `?${asked}`);
  }
}

customElements.define("live-now", LiveNow);
