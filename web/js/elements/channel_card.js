/**
 * Door: one channel that is on air, as a picture to go to.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { format, t } from "../net/words.js";
import * as icons from "./icons.js";
import { LightElement } from "./light_element.js";

export class ChannelCard extends LightElement {
  static properties = { channel: { attribute: false }, broken: { state: true } };

  constructor() {
    super();
    /** @type {import("../net/api.js").Channel | null} */
    this.channel = null;
    /** A picture that could not be had: the broadcast ended meanwhile. @type {string | null} */
    this.broken = null;
  }

  render() {
    if (this.channel === null) return nothing;
    const { nickname, title, category, viewers, thumbnail } = this.channel;
    return html`
      <a href=${`/c/${encodeURIComponent(nickname)}`} @pointerenter=${this.#look} @focus=${this.#look}>
        <span class="picture">
          ${thumbnail === null || thumbnail === this.broken
            ? icons.cat(nickname, { wide: true })
            : html`<img src=${thumbnail} width="640" height="360" alt="" loading="lazy" @error=${() => (this.broken = thumbnail)}>`}
          <span class="badge live">${t("live.badge")}</span>
          <span class="badge viewers">${icons.eye}<span class="visually-hidden">${t("live.viewers", { count: viewers })}</span
            ><span aria-hidden="true">${format.compact(viewers)}</span></span>
        </span>
        <span class="face" aria-hidden="true">${icons.cat(nickname)}</span>
        <span class="words">
          <span class="title">${title === "" ? t("channel.untitled", { nickname }) : title}</span>
          <span class="by"><span>${nickname}</span>${category === "" ? nothing : html`<span>${category}</span>`}</span>
        </span>
      </a>
    `;
  }

  /** A finger goes straight to the channel. @param {PointerEvent | FocusEvent} event */
  async #look(event) {
    if ("pointerType" in event && event.pointerType === "touch") return;
    (await import("./live_peek.js").catch(() => null))?.peek(this);
  }
}

customElements.define("channel-card", ChannelCard);
