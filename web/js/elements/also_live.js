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
  static properties = { found: { state: true } };

  /** @type {Channel | null} */
  #beside = null;

  constructor() {
    super();
    /** @type {Channel[]} */
    this.found = [];
  }

  /** @param {Channel | null} channel the one that is not on air; null when it is again */
  async show(channel) {
    this.#beside = channel;
    // An offer that cannot be made is none.
    const channels = channel === null ? [] : await liveChannels().catch(() => []);
    if (this.#beside !== channel) return; // It came back meanwhile.
    this.found = channel === null ? [] : offered(channels, channel, following.names ?? new Set());
  }

  render() {
    if (this.found.length === 0) return nothing;
    return html`<section aria-labelledby="also-live-title">
      <h2 id="also-live-title">${t("home.live_now")}</h2>
      <ul>${repeat(this.found, ({ nickname }) => nickname, (channel) => html`<li><channel-card .channel=${channel}></channel-card></li>`)}</ul>
    </section>`;
  }
}

customElements.define("also-live", AlsoLive);
