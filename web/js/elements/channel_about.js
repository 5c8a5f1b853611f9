/**
 * Door: what is on and who makes it, under the picture.
 *
 * Events: `donate` when a member wants to give.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { duration } from "../core/format.js";
import { logInPath } from "../core/next_path.js";
import { identity } from "../net/identity.js";
import { t } from "../net/words.js";
import * as icons from "./icons.js";
import { LightElement } from "./light_element.js";

export class ChannelAbout extends LightElement {
  static properties = { channel: { attribute: false }, state: { attribute: false } };

  /** @type {ReturnType<typeof setInterval> | undefined} */
  #ticking;

  constructor() {
    super();
    /** @type {import("../net/api.js").Channel | null} */
    this.channel = null;
    /** @type {import("../core/broadcast_state.js").OnAir} */
    this.state = "unknown";
  }

  connectedCallback() {
    super.connectedCallback();
    identity.addEventListener("change", this.#redraw);
    this.#ticking = setInterval(this.#redraw, 1000);
  }

  disconnectedCallback() {
    identity.removeEventListener("change", this.#redraw);
    clearInterval(this.#ticking);
    super.disconnectedCallback();
  }

  #redraw = () => this.requestUpdate();

  render() {
    if (this.channel === null) return nothing;
    const { nickname, title, category, tags, started_at } = this.channel;
    const onAir = this.state === "live" || this.state === "interrupted";
    return html`
      <span class="face" aria-hidden="true">${icons.cat(nickname)}</span>
      <div class="words">
        <h1>${title === "" ? t("channel.untitled", { nickname }) : title}</h1>
        <p class="facts">
          <span class="nickname">${nickname}</span>
          ${onAir && started_at !== null
            ? html`<span class="badge live">${t("live.badge")}</span><span class="time">${duration(Date.now() - Date.parse(started_at))}</span>`
            : nothing}
          ${category === "" ? nothing : html`<span>${category}</span>`}
          ${tags.map((tag) => html`<span class="tag">${tag}</span>`)}
        </p>
      </div>
      ${this.#donate(nickname)}
    `;
  }

  /** @param {string} nickname */
  #donate(nickname) {
    if (identity.nickname === nickname) return html`<a class="button quiet" href="/studio">${t("nav.studio")}</a>`;
    if (identity.nickname === null) {
      return html`<a class="button donate" href=${logInPath(location.pathname)}>${icons.paw}${t("donate.open")}</a>`;
    }
    return html`<button class="donate" type="button" @click=${() => this.tell("donate")}>${icons.paw}${t("donate.open")}</button>`;
  }
}

customElements.define("channel-about", ChannelAbout);
