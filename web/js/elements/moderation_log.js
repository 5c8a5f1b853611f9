/**
 * Door: what was done to keep a channel's chat in order, by whom and to whom; what still holds can be lifted here.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { moderation } from "../net/studio_api.js";
import { format, t } from "../net/words.js";
import { LightElement } from "./light_element.js";
import { refusal } from "./typed_form.js";

/** Acts that hold until their opposite. @type {Readonly<Record<string, string>>} */
const OPPOSITE = Object.freeze({ mute: "unmute", ban: "unban", grant: "revoke" });

/** What a changed rule is called. @type {Readonly<Record<string, string>>} */
const RULES = Object.freeze({
  slow_seconds: "rules.slow_label",
  followers_only_minutes: "rules.who",
  members_only: "rules.members",
  blocked_links: "rules.links",
  blocked_words: "rules.words_label",
  pinned: "rules.pin_label",
});

/** @typedef {import("../net/studio_api.js").Act} Act */

export class ModerationLog extends LightElement {
  static properties = { channel: {}, wire: { attribute: false }, entries: { state: true }, next: { state: true }, problem: { state: true } };

  #busy = false;

  constructor() {
    super();
    this.channel = "";
    /** @type {import("../net/wire.js").Wire | null} */
    this.wire = null;
    /** @type {Act[] | null} */
    this.entries = null;
    /** @type {string | null} */
    this.next = null;
    /** @type {unknown} */
    this.problem = null;
  }

  connectedCallback() {
    super.connectedCallback();
    void this.refresh();
  }

  async refresh() {
    await this.#ask(null);
  }

  /** The same page not twice. @param {string} cursor */
  async #more(cursor) {
    if (this.#busy) return;
    this.#busy = true;
    await this.#ask(cursor);
    this.#busy = false;
  }

  /** @param {string | null} cursor */
  async #ask(cursor) {
    const before = this.entries;
    try {
      const { entries, next } = await moderation(this.channel, cursor);
      if (cursor !== null && before !== this.entries) return; // Asked anew meanwhile: it would not follow on that.
      this.entries = cursor === null ? entries : [...(this.entries ?? []), ...entries];
      this.next = next;
      this.problem = null;
    } catch (error) {
      this.problem = error;
    }
  }

  render() {
    const { entries, next } = this;
    return html`<section class="card log">
      <div class="row"><h2>${t("moderation.log")}</h2><button class="quiet small" type="button" @click=${() => this.refresh()}>${t("moderation.look")}</button></div>
      ${refusal(this.problem)}
      ${entries?.length === 0 ? html`<p class="note">${t("moderation.nothing")}</p>` : nothing}
      <ul>${entries?.map((entry) => this.#line(entry, entries))}</ul>
      ${next === null ? nothing : html`<button class="quiet" type="button" @click=${() => this.#more(next)}>${t("more")}</button>`}
    </section>`;
  }

  /** @param {Act} entry @param {Act[]} all newest first */
  #line(entry, all) {
    const { action, actor, target, at, text, seconds, id } = entry;
    const opposite = OPPOSITE[action];
    // Only the last word on somebody can be taken back.
    const last = all.find((one) => one.target === target && (one.action === action || one.action === opposite))?.id === id;
    const holds = entry.until === null || Date.parse(entry.until) > Date.now();
    return html`<li>
      <span class="what">${done(action, target ?? t("moderation.gone"), seconds ?? 0)}</span>
      <time datetime=${at}>${format.day(at)}</time>
      <span class="by">${actor ?? t("moderation.gone")}</span>
      ${opposite !== undefined && last && holds && target !== null
        ? html`<button class="quiet small" type="button" @click=${() => this.#do(opposite, target)}>${t(`moderation.${opposite}`)}</button>`
        : nothing}
      ${text === "" ? nothing : html`<bdi class="text">${action === "rules" ? text.split(", ").map(rule) : text}</bdi>`}
    </li>`;
  }

  /** @param {string} action @param {string} nickname */
  async #do(action, nickname) {
    if (this.#busy) return;
    this.#busy = true;
    try {
      await this.wire?.call("moderation.act", { channel: this.channel, action, nickname });
      await this.refresh();
    } catch (error) {
      this.problem = error;
    }
    this.#busy = false;
  }
}

/** In minutes where they are whole: nobody counts six hundred seconds. @param {string} action @param {string} nickname @param {number} seconds */
function done(action, nickname, seconds) {
  if (action === "mute" && seconds > 0 && seconds % 60 === 0) return t("moderation.log_mute_minutes", { nickname, count: seconds / 60 });
  return t(`moderation.log_${action}`, { nickname, count: seconds });
}

/** "members_only=True" as a reader would say it. @param {string} written @param {number} index */
function rule(written, index) {
  const [name = "", value] = written.split("=");
  const key = RULES[name];
  const words = key === undefined || value === undefined ? "" : value === "True" ? t("rules.on") : value === "False" ? t("rules.off") : value === "None" ? t("rules.everybody") : value;
  return html`${index === 0 ? "" : ", "}${key === undefined ? written : t(key)}${words === "" ? "" : `: ${words}`}`;
}

customElements.define("moderation-log", ModerationLog);
