/**
 * Door: who is on air: the list, kept fresh while somebody looks; and the words for when it is empty.
 * @module
 */

import { html, repeat } from "/js/vendor/lit.js";
import { liveChannels } from "../net/api.js";
import { errorText, t } from "../net/words.js";
import "./channel_card.js";
import * as icons from "./icons.js";
import { LightElement } from "./light_element.js";

/** Somebody who goes on air is seen by those who wait within this time. */
const ASK_EVERY_MS = 15_000;

export class LiveNow extends LightElement {
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  /** @type {import("../net/api.js").Channel[] | null} */
  #channels = null;
  /** @type {unknown} */
  #problem = null;

  connectedCallback() {
    super.connectedCallback();
    document.addEventListener("visibilitychange", this.#ask);
    this.#timer = setInterval(this.#ask, ASK_EVERY_MS);
    void this.#ask();
  }

  disconnectedCallback() {
    document.removeEventListener("visibilitychange", this.#ask);
    clearInterval(this.#timer);
    super.disconnectedCallback();
  }

  #ask = async () => {
    if (document.visibilityState === "hidden") return;
    try {
      this.#channels = await liveChannels();
      this.#problem = null;
    } catch (error) {
      this.#problem = error;
    }
    this.requestUpdate();
  };

  render() {
    if (this.#channels !== null) return this.#channels.length === 0 ? this.#empty() : this.#grid(this.#channels);
    if (this.#problem !== null) {
      return html`<div class="empty" role="alert">
        <p>${errorText(this.#problem)}</p>
        <button type="button" @click=${this.#ask}>${t("retry")}</button>
      </div>`;
    }
    return html`<div class="grid" aria-busy="true">
      ${[0, 1, 2].map(() => html`<div class="ghost"><span></span><span></span></div>`)}
    </div>`;
  }

  /** @param {import("../net/api.js").Channel[]} channels */
  #grid(channels) {
    return html`<ul class="grid">
      ${repeat(
        channels,
        (channel) => channel.nickname,
        (channel) => html`<li><channel-card .channel=${channel}></channel-card></li>`,
      )}
    </ul>`;
  }

  #empty() {
    return html`<div class="empty">
      ${icons.sleepingCat}
      <h3>${t("home.empty.title")}</h3>
      <p>${t("home.empty.words")}</p>
      <a class="button" href="/studio">${t("home.empty.go_live")}</a>
    </div>`;
  }
}

customElements.define("live-now", LiveNow);
