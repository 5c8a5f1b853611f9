/**
 * Door: what is on and who makes it, under the picture.
 *
 * Events: `donate` when a member wants to give, `share`, and `followed` when the house has taken down that somebody follows
 * now, or does no more.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { duration } from "../core/format.js";
import { logInPath } from "../core/next_path.js";
import { following } from "../net/following.js";
import { identity } from "../net/identity.js";
import { format, t } from "../net/words.js";
import * as actIcons from "./act_icons.js";
import * as icons from "./icons.js";
import { LightElement } from "./light_element.js";
import { refusal } from "./typed_form.js";

export class ChannelAbout extends LightElement {
  static properties = {
    channel: { attribute: false },
    state: { attribute: false },
    asking: { state: true },
    problem: { state: true },
  };

  /** @type {ReturnType<typeof setInterval> | undefined} */
  #ticking;

  constructor() {
    super();
    /** @type {import("../net/api.js").Channel | null} */
    this.channel = null;
    /** @type {import("../core/broadcast_state.js").OnAir} */
    this.state = "unknown";
    /** The house is being told to follow or not to. */
    this.asking = false;
    /** @type {unknown} */
    this.problem = null;
  }

  connectedCallback() {
    super.connectedCallback();
    identity.addEventListener("change", this.#redraw);
    following.addEventListener("change", this.#redraw);
    void following.ask();
    this.#ticking = setInterval(this.#redraw, 1000);
  }

  disconnectedCallback() {
    identity.removeEventListener("change", this.#redraw);
    following.removeEventListener("change", this.#redraw);
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
          ${this.#followers()}
          ${category === "" ? nothing : html`<span class="category">${category}</span>`}
          ${tags.map((tag) => html`<span class="tag">${tag}</span>`)}
        </p>
        ${refusal(this.problem)}
      </div>
      <div class="acts">
        <button class="icon-button share" type="button" aria-label=${t("share.open")} title=${t("share.open")}
          @click=${() => this.tell("share")}>${actIcons.share}</button>
        ${this.#follow(nickname)} ${this.#donate(nickname)}
      </div>
    `;
  }

  /** All of them for who hears it; where there is little room a heart stands for the word. */
  #followers() {
    const count = this.channel?.followers ?? 0;
    const short = format.compact(count);
    return html`<span class="followers" title=${format.count(count)}>
      <span class="visually-hidden">${t("follow.followers", { count, number: count })}</span>
      <span class="long" aria-hidden="true">${t("follow.followers", { count, number: short })}</span>
      <span class="short" aria-hidden="true">${actIcons.heartFull}${short}</span>
    </span>`;
  }

  /** @param {string} nickname */
  #follow(nickname) {
    if (identity.nickname === nickname) return nothing;
    if (identity.nickname === null) {
      return html`<a class="button quiet follow" href=${logInPath(location.pathname)}>${actIcons.heart}<span>${t("follow.follow")}</span></a>`;
    }
    if (following.names === null) return nothing;
    const follows = following.names.has(nickname);
    return html`<button class="quiet follow" type="button" aria-pressed=${follows} aria-disabled=${this.asking}
      title=${t(follows ? "follow.unfollow" : "follow.say", { nickname })} @click=${() => this.#turn(nickname, !follows)}
      >${follows ? actIcons.heartFull : actIcons.heart}<span>${t(follows ? "follow.following" : "follow.follow")}</span></button>`;
  }

  /** @param {string} nickname @param {boolean} wanted */
  async #turn(nickname, wanted) {
    this.asking = true;
    this.problem = null;
    try {
      await following.set(nickname, wanted);
      this.tell("followed");
    } catch (error) {
      this.problem = error;
    }
    this.asking = false;
  }

  /** @param {string} nickname */
  #donate(nickname) {
    if (identity.nickname === nickname) return html`<a class="button quiet" href="/studio">${t("nav.studio")}</a>`;
    if (this.state === "offline" || this.state === "ended") return nothing; // The books take donations on air only.
    if (identity.nickname === null) {
      return html`<a class="button donate" href=${logInPath(location.pathname)}>${actIcons.paw}${t("donate.open")}</a>`;
    }
    return html`<button class="donate" type="button" @click=${() => this.tell("donate")}>${actIcons.paw}${t("donate.open")}</button>`;
  }
}

customElements.define("channel-about", ChannelAbout);
