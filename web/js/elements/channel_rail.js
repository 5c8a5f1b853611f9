/**
 * Door: the channels at the side of a wide page: whom one follows, awake before asleep, and who else is on air.
 *
 * Loaded after the first draw; the stylesheet keeps its place until then. Narrow it shows faces only, and says the rest.
 * @module
 */

import { html, nothing, repeat, svg } from "/js/vendor/lit.js";
import { besides } from "../core/rail.js";
import { following } from "../net/following.js";
import { onAir } from "../net/on_air.js";
import { format, keepRail, t } from "../net/words.js";
import * as icons from "./icons.js";
import { LightElement } from "./light_element.js";

/** Nobody waits for it; where the home page asks more often, its answers are taken. */
const ASK_EVERY_MS = 60_000;
/** Between narrow and wide, as css/channel_rail.css has them. */
const WIDE_PIXELS_MIN = 120;

const chevrons = icons.icon(svg`<path d="m12.500 6 6 6-6 6M5.500 6l6 6-6 6"/>`);

/** @typedef {import("../net/api.js").Channel} Channel */

export class ChannelRail extends LightElement {
  static properties = { wide: { state: true } };

  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  #size = new ResizeObserver(() => {
    this.wide = this.clientWidth >= WIDE_PIXELS_MIN;
  });

  constructor() {
    super();
    this.wide = false;
  }

  connectedCallback() {
    super.connectedCallback();
    this.#size.observe(this);
    following.addEventListener("change", this.#redraw);
    onAir.addEventListener("change", this.#redraw);
    document.addEventListener("visibilitychange", this.#ask);
    this.#timer = setInterval(this.#ask, ASK_EVERY_MS);
    this.#ask();
  }

  disconnectedCallback() {
    this.#size.disconnect();
    following.removeEventListener("change", this.#redraw);
    onAir.removeEventListener("change", this.#redraw);
    document.removeEventListener("visibilitychange", this.#ask);
    clearInterval(this.#timer);
    super.disconnectedCallback();
  }

  #redraw = () => this.requestUpdate();

  #ask = () => void onAir.ask(ASK_EVERY_MS / 2);

  render() {
    const label = t("rail.names"); // One name, whichever way it stands: that is said by `aria-expanded`.
    return html`<nav aria-label=${t("rail.label")}>
      <button class="icon-button fold" type="button" aria-expanded=${this.wide} aria-label=${label} title=${label}
        @click=${this.#fold}>${chevrons}</button>
      ${onAir.channels === null ? nothing : this.#lists(onAir.channels)}
    </nav>`;
  }

  /** @param {readonly Channel[]} channels */
  #lists(channels) {
    const { awake, asleep, others } = besides(channels, following.names ?? new Set());
    return html`
      ${awake.length + asleep.length === 0 ? nothing : html`<section>
        <h2>${t("home.following")}</h2>
        <ul>
          ${repeat(awake, ({ nickname }) => nickname, (one) => this.#awake(one))}
          ${repeat(asleep, (name) => name, (name) => this.#asleep(name))}
        </ul>
      </section>`}
      ${others.length === 0 ? nothing : html`<section>
        <h2>${t("home.live_now")}</h2>
        <ul>${repeat(others, ({ nickname }) => nickname, (one) => this.#awake(one))}</ul>
      </section>`}
    `;
  }

  /** @param {Channel} channel */
  #awake({ nickname, title, category, viewers }) {
    return this.#line(nickname, false, title, html`
      <span class="what">${category || title}</span>
      <span class="viewers"><span class="visually-hidden">${t("live.viewers", { count: viewers })}</span
        ><span aria-hidden="true">${format.compact(viewers)}</span></span>`);
  }

  /** @param {string} nickname */
  #asleep(nickname) {
    return this.#line(nickname, true, "", html`<span class="viewers">${t("rail.asleep")}</span>`);
  }

  /** @param {string} nickname @param {boolean} asleep @param {string} title @param {unknown} more */
  #line(nickname, asleep, title, more) {
    const path = `/c/${encodeURIComponent(nickname)}`;
    return html`<li><a href=${path} ?data-asleep=${asleep} aria-current=${location.pathname === path ? "page" : nothing}
      title=${title === "" ? nickname : `${nickname} \u00b7 ${title}`}>
      <span class="face" aria-hidden="true">${icons.cat(nickname)}</span>
      <span class="words"><span class="name">${nickname}</span>${more}</span>
    </a></li>`;
  }

  #fold = () => {
    const wanted = this.wide ? "narrow" : "wide";
    document.body.dataset.rail = wanted;
    keepRail(wanted);
  };
}

customElements.define("channel-rail", ChannelRail);
