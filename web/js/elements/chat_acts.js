/**
 * Door: what can be done with one line of the chat: answer it; for those who moderate, take it back and keep its sender quiet.
 *
 * Loaded when a line is chosen for the first time. Events: `answer` with the nickname, `done`.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { place } from "../core/chat_log.js";
import { asProblem } from "../core/problem.js";
import { t } from "../net/words.js";
import * as actIcons from "./act_icons.js";
import { LightElement } from "./light_element.js";
import { refusal } from "./typed_form.js";

/** Long enough to cool down, short enough to come back the same evening. */
const MUTE_SECONDS = 600;
/** Acts whose opposite is offered once they are done. @type {Readonly<Record<string, string>>} */
const UNDO = Object.freeze({ mute: "unmute", ban: "unban", grant: "revoke" });

/** @typedef {import("../core/chat_log.js").Line} Line */

export class ChatActs extends LightElement {
  static properties = {
    line: { attribute: false },
    wire: { attribute: false }, // All that the room sets before this module is there must be properties of Lit's.
    me: { attribute: false },
    channel: {},
    moderates: { type: Boolean },
    busy: { state: true },
    problem: { state: true },
    did: { state: true },
  };

  constructor() {
    super();
    /** @type {Line | null} */
    this.line = null;
    /** @type {string | null} */
    this.me = null;
    this.channel = "";
    this.moderates = false;
    /** @type {import("../net/wire.js").Wire | null} */
    this.wire = null;
    this.busy = false;
    /** @type {unknown} */
    this.problem = null;
    /** The act that was done last. @type {string | null} */
    this.did = null;
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    if (!changed.has("line")) return;
    this.did = null;
    this.problem = null;
  }

  /** @param {Map<string, unknown>} changed */
  updated(changed) {
    if (changed.has("line") && this.line !== null) this.querySelector("button")?.focus();
  }

  render() {
    if (this.line === null) return nothing;
    const { nickname, text } = this.line;
    return html`<section aria-label=${t("chat.acts_label", { nickname })} @keydown=${this.#onKey}>
      <p class="about"><bdi class="who">${nickname}</bdi><bdi class="what">${text}</bdi></p>
      <div class="row">
        ${this.me === null || this.me === nickname ? nothing : html`<button class="quiet small" type="button" @click=${this.#answer}>${t("chat.answer")}</button>`}
        ${this.moderates ? this.#tools(this.line) : nothing}
        <a class="button quiet small" href=${`/c/${encodeURIComponent(nickname)}`}>${t("chat.visit")}</a>
        <button class="icon-button" type="button" aria-label=${t("close")} title=${t("close")} @click=${this.#close}>${actIcons.close}</button>
      </div>
      <p class="said" role="status">${this.did === null ? nothing : this.#done(this.did, nickname)}</p>
      ${refusal(this.problem)}
    </section>`;
  }

  /** @param {Line} line */
  #tools({ nickname, roles }) {
    const owns = this.me === this.channel;
    const others = nickname !== this.me && nickname !== this.channel;
    const above = roles.includes("moderator") && !owns; // Moderators do not act on each other.
    return html`
      ${above && others ? nothing : this.#act("remove")}
      ${others && !above ? html`${this.#act("mute")} ${this.#act("ban")}` : nothing}
      ${others && owns ? this.#act(roles.includes("moderator") ? "revoke" : "grant") : nothing}
    `;
  }

  /** @param {string} action */
  #act(action) {
    return html`<button class="quiet small" type="button" aria-disabled=${this.busy || this.did === action}
      @click=${() => this.#do(action)}>${t(`moderation.${action}`)}</button>`;
  }

  /** @param {string} did @param {string} nickname */
  #done(did, nickname) {
    const undo = UNDO[did];
    return html`${t(`moderation.did_${did}`, { nickname })}
      ${undo === undefined ? nothing : html`<button class="quiet small" type="button" aria-disabled=${this.busy} @click=${() => this.#do(undo)}>${t("moderation.undo")}</button>`}`;
  }

  /** @param {string} action */
  async #do(action) {
    const { line, wire, me } = this;
    if (line === null || wire === null) return;
    this.busy = true;
    this.problem = null;
    const what = action === "remove" ? place(line) : { nickname: line.nickname, ...(action === "mute" ? { seconds: MUTE_SECONDS } : {}) };
    try {
      await wire.call("moderation.act", { channel: this.channel, action, ...what }, me);
      if (line === this.line) this.did = action;
    } catch (error) {
      if (line === this.line) this.problem = asProblem(error);
    }
    this.busy = false;
    await this.updateComplete;
    // The button that was pressed may be gone, and the focus with it.
    if (this.line !== null && !this.contains(document.activeElement)) this.querySelector("button")?.focus();
  }

  #answer = () => {
    this.tell("answer", this.line?.nickname);
    this.#close();
  };

  #close = () => this.tell("done");

  /** @param {KeyboardEvent} event */
  #onKey = (event) => {
    if (event.key === "Escape") this.#close();
  };
}

customElements.define("chat-acts", ChatActs);
