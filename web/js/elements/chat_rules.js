/**
 * Door: what a room asks of its speakers, to be changed by those who moderate it: slow mode and the notice; by its owner all.
 *
 * Loaded when it is opened for the first time. Events: `done`.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { faultOf, wordsOf } from "../core/blocked_words.js";
import { plain } from "../core/plain_text.js";
import { asProblem, Problem } from "../core/problem.js";
import { identity } from "../net/identity.js";
import { editChannel, moderation } from "../net/studio_api.js";
import { t } from "../net/words.js";
import { LightElement } from "./light_element.js";
import { fillTyped, keepTyped, refusal } from "./typed_form.js";

/** What one waits between two lines, as a choice: a breath, a thought, a pause. */
const SLOW_SECONDS = Object.freeze([0, 3, 5, 10, 30, 60, 120]);
/** For how long one has followed: at all, ten minutes, an hour, a day, a week. */
const FOLLOWERS_MINUTES = Object.freeze([0, 10, 60, 1_440, 10_080]);
const PINNED_CHARACTERS_MAX = 500;

export class ChatRules extends LightElement {
  // All that the room sets before this module is there must be properties of Lit's.
  static properties = {
    channel: {},
    rules: { attribute: false },
    wire: { attribute: false },
    busy: { state: true },
    problem: { state: true },
    saved: { state: true },
    words: { state: true },
    fault: { state: true },
  };

  /** The form that has been given what waited for it. @type {HTMLFormElement | null} */
  #filled = null;
  /** Who opened it: a login that ends takes no field away, nor what is typed there. */
  #who = identity.nickname ?? "";

  constructor() {
    super();
    this.channel = "";
    /** @type {import("../core/room_rules.js").Rules | null} */
    this.rules = null;
    /** @type {import("../net/wire.js").Wire | null} */
    this.wire = null;
    this.busy = false;
    /** @type {unknown} */
    this.problem = null;
    this.saved = false;
    /** Words that are blocked; null until the house has said: they are told to those who moderate only. @type {readonly string[] | null} */
    this.words = null;
    /** What is wrong with the words that were typed. @type {ReturnType<typeof faultOf>} */
    this.fault = null;
  }

  /** @param {Map<string, unknown>} changed */
  updated(changed) {
    const form = this.querySelector("form");
    if (form !== null && form !== this.#filled) fillTyped(form, this.#place);
    this.#filled = form;
    if (changed.has("channel") && this.channel !== "" && this.channel === this.#who) void this.#askWords();
  }

  get #place() {
    return `rules.${this.#who}.${this.channel}`;
  }

  async #askWords() {
    try {
      this.words = (await moderation(this.channel)).rules.blocked_words;
    } catch (error) {
      this.problem = asProblem(error);
    }
  }

  render() {
    if (this.rules === null) return nothing;
    const { slowSeconds, pinned } = this.rules;
    return html`<form @submit=${this.#onSubmit} @input=${this.#onInput}>
      <h3>${t("rules.open")}</h3>
      <label>${t("rules.slow_label")}
        <select name="slow">${this.#options(SLOW_SECONDS, slowSeconds, (seconds) => (seconds === 0 ? t("rules.off") : t("rules.seconds", { count: seconds })))}</select>
      </label>
      <label>${t("rules.pin_label")}
        <input name="pinned" type="text" autocomplete="off" .defaultValue=${pinned} placeholder=${t("rules.pin_hint")}>
      </label>
      ${this.#who === this.channel ? this.#owner(this.rules) : nothing}
      ${refusal(this.problem, this.#words())}
      <div class="row">
        <button type="submit" class="small" aria-disabled=${this.busy}>${t("save")}</button>
        <button type="button" class="quiet small" @click=${() => this.tell("done")}>${t("close")}</button>
        <span class="said" role="status">${this.saved ? t("saved") : nothing}</span>
      </div>
      <a class="log" href=${`/c/${encodeURIComponent(this.channel)}/moderation`}>${t("moderation.log")}</a>
    </form>`;
  }

  /** @param {import("../core/room_rules.js").Rules} rules */
  #owner({ followersOnlyMinutes, membersOnly, blockedLinks }) {
    const followers = followersOnlyMinutes ?? -1;
    const words = (/** @type {number} */ minutes) =>
      minutes < 0 ? t("rules.everybody") : minutes === 0 ? t("rules.followers") : t("rules.followers_for", { count: minutes });
    return html`
      <label>${t("rules.who")}
        <select name="followers">${this.#options([-1, ...FOLLOWERS_MINUTES], followers, words)}</select>
      </label>
      <label class="check"><input name="members" type="checkbox" .defaultChecked=${membersOnly}>${t("rules.members")}</label>
      <label class="check"><input name="links" type="checkbox" .defaultChecked=${blockedLinks}>${t("rules.links")}</label>
      <label>${t("rules.words_label")}
        <textarea name="words" rows="3" spellcheck="false" autocapitalize="none" placeholder=${t("rules.words_hint")}
          ?disabled=${this.words === null} .defaultValue=${(this.words ?? []).join("\n")}></textarea>
      </label>
      ${this.fault === null ? nothing : html`<p class="problem" role="alert">${t(this.fault.key, this.fault.vars)}</p>`}
    `;
  }

  /** The value that holds is offered also when it is none of ours. @param {readonly number[]} offers @param {number} chosen @param {(value: number) => string} words */
  #options(offers, chosen, words) {
    const all = offers.includes(chosen) ? offers : [...offers, chosen].sort((one, other) => one - other);
    return all.map((value) => html`<option value=${String(value)} ?selected=${value === chosen}>${words(value)}</option>`);
  }

  #words() {
    const { code, field } = asProblem(this.problem);
    return code === "wire.shape" && field === "text" ? t("rules.pin_too_long", { count: PINNED_CHARACTERS_MAX }) : undefined;
  }

  #onInput = () => {
    this.saved = false;
  };

  /** @param {SubmitEvent} event */
  #onSubmit = async (event) => {
    event.preventDefault();
    const typed = event.currentTarget;
    if (!(typed instanceof HTMLFormElement) || this.rules === null || this.busy) return;
    const form = new FormData(typed);
    this.fault = faultOf(wordsOf(String(form.get("words") ?? "")));
    if (this.fault !== null) return;
    this.busy = true;
    this.problem = null;
    try {
      await this.#save(form, this.rules);
      this.saved = true;
    } catch (error) {
      this.problem = asProblem(error);
    }
    keepTyped(typed, this.#place, this.problem);
    this.busy = false;
  };

  /** Only what changed: another moderator may be at it too. @param {FormData} form @param {import("../core/room_rules.js").Rules} rules */
  async #save(form, rules) {
    const slow = Number(form.get("slow"));
    const pinned = plain(String(form.get("pinned") ?? ""));
    const act = (/** @type {object} */ what) => this.wire?.call("moderation.act", { channel: this.channel, ...what }, this.#who);
    // More than the connection carries would cut it, and nobody would know why.
    if ([...pinned].length > PINNED_CHARACTERS_MAX) throw new Problem("wire.shape", { field: "text" });
    if (slow !== rules.slowSeconds) await act({ action: "slow", seconds: slow });
    if (pinned !== rules.pinned) await act({ action: "pin", text: pinned });
    if (this.#who !== this.channel) return;
    const followers = Number(form.get("followers"));
    /** @type {Record<string, unknown>} */
    const wanted = {
      followers_only_minutes: followers < 0 ? null : followers,
      members_only: form.get("members") !== null,
      blocked_links: form.get("links") !== null,
    };
    /** @type {Record<string, unknown>} */
    const held = { followers_only_minutes: rules.followersOnlyMinutes, members_only: rules.membersOnly, blocked_links: rules.blockedLinks };
    if (this.words !== null) {
      wanted.blocked_words = wordsOf(String(form.get("words") ?? ""));
      held.blocked_words = this.words;
    }
    if (JSON.stringify(wanted) === JSON.stringify(held)) return;
    await editChannel(this.channel, { rules: wanted });
    if (this.words !== null) this.words = /** @type {string[]} */ (wanted.blocked_words);
  }
}

customElements.define("chat-rules", ChatRules);
