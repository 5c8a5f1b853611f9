/**
 * Door: who else is on air, under a channel that is not: nobody's way ends here.
 * @module
 */

import { html, nothing, repeat } from "/js/vendor/lit.js";
import { offered } from "../core/also_live.js";
import { liveChannels } from "../net/api.js";
import { following } from "../net/following.js";
import { t } from "../net/words.js";
import "./channel_card.js";
import { LightElement } from "./light_element.js";

/** @typedef {import("../net/api.js").Channel} Channel */

export class AlsoLive extends LightElement {
  static properties = { onAir: { state: true } };

  /** @type {Channel | null} */
  #beside = null;

  constructor() {
    super();
    /** Who is on air now. @type {Channel[]} */
    this.onAir = [];
  }

  connectedCallback() {
    super.connectedCallback();
    following.addEventListener("change", this.#redraw);
  }

  disconnectedCallback() {
    following.removeEventListener("change", this.#redraw);
    super.disconnectedCallback();
  }

  /** Whom one follows may be known later than who is on air. */
  #redraw = () => this.requestUpdate();

  /** @param {Channel | null} channel the one that is not on air; null when it is again */
  async show(channel) {
    this.#beside = channel;
    // An offer that cannot be made is none.
    const channels = channel === null ? [] : await liveChannels().catch(() => []);
    if (this.#beside !== channel) return; // It came back meanwhile.
    this.onAir = channels;
  }

  render() {
    const found = this.#beside === null ? [] : offered(this.onAir, this.#beside, following.names ?? new Set());
    if (found.length === 0) return nothing;
    return html`<section aria-labelledby="also-live-title">
      <h2 id="also-live-title">${t("home.live_now")}</h2>
      <ul>${repeat(found, ({ nickname }) => nickname, (channel) => html`<li><channel-card .channel=${channel}></channel-card></li>`)}</ul>
    </section>`;
  }
}

customElements.define("also-live", AlsoLive);
