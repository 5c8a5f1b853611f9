/**
 * Door: what one's channel says of itself: title, category, tags.
 *
 * Events: `saved` with the channel as the house keeps it now.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { logInPath } from "../core/next_path.js";
import { asProblem } from "../core/problem.js";
import { tagsOf } from "../core/tags.js";
import { keepDraft, keptDraft } from "../net/kept_draft.js";
import { editChannel } from "../net/studio_api.js";
import { errorText, t } from "../net/words.js";
import * as actIcons from "./act_icons.js";
import { LightElement } from "./light_element.js";

/** What is typed here; too much of it is refused with words, where `maxlength` would cut what is pasted without one. */
const FIELDS = Object.freeze(["title", "category", "tags"]);

export class ChannelForm extends LightElement {
  /** Whose fields were filled in. @type {string | undefined} */
  #nickname;

  static properties = { channel: { attribute: false }, saved: { state: true }, problem: { state: true } };

  constructor() {
    super();
    /** Null until it is known. @type {import("../net/api.js").Channel | null} */
    this.channel = null;
    this.saved = false;
    /** @type {import("../core/problem.js").Problem | null} */
    this.problem = null;
  }

  /** What was refused because a login had ended waits in the tab for the next. */
  updated() {
    const { nickname } = this.channel ?? {};
    if (nickname === undefined || this.#nickname === nickname) return;
    this.#nickname = nickname;
    for (const name of FIELDS) {
      const kept = keptDraft(this.#place(name));
      const field = this.querySelector(`[name=${name}]`);
      if (kept !== "" && field instanceof HTMLInputElement) field.value = kept;
    }
  }

  render() {
    const { nickname = "", title = "", category = "", tags = [] } = this.channel ?? {};
    // `defaultValue`: the house is asked again and again, and must not overwrite what is being typed.
    return html`<form @submit=${this.#onSubmit} @input=${this.#onInput}>
      <label>${t("studio.title_label")}
        <input name="title" type="text" autocomplete="off"
          .defaultValue=${title} placeholder=${t("channel.untitled", { nickname })}>
      </label>
      <div class="two">
        <label>${t("studio.category")}
          <input name="category" type="text" autocomplete="off" .defaultValue=${category}>
        </label>
        <label>${t("studio.tags")}
          <input name="tags" type="text" autocomplete="off" .defaultValue=${tags.join(", ")} placeholder=${t("studio.tags_hint")}>
        </label>
      </div>
      ${this.problem === null ? nothing : html`<p class="problem" role="alert">${this.#words(this.problem)}${this.#wayBack()}</p>`}
      <div class="row">
        <button type="submit" ?disabled=${this.channel === null}>${this.saved ? actIcons.done : nothing}${t("save")}</button>
        <span class="said" role="status">${this.saved ? t("saved") : nothing}</span>
      </div>
    </form>`;
  }

  /** @param {import("../core/problem.js").Problem} problem */
  #words(problem) {
    const { code, field } = problem;
    return code === "wire.shape" && field !== undefined && FIELDS.includes(field) ? t(`studio.shape.${field}`) : errorText(problem);
  }

  #wayBack() {
    return this.problem?.code.startsWith("auth.") ? html` <a href=${logInPath(location.pathname)}>${t("nav.log_in")}</a>` : nothing;
  }

  /** @param {string} name of a field */
  #place(name) {
    return `channel.${this.#nickname ?? ""}.${name}`;
  }

  #onInput = () => {
    this.saved = false;
  };

  /** @param {SubmitEvent} event */
  #onSubmit = async (event) => {
    event.preventDefault();
    if (!(event.currentTarget instanceof HTMLFormElement) || this.channel === null) return;
    const written = new FormData(event.currentTarget);
    const field = (/** @type {string} */ name) => plain(String(written.get(name) ?? ""));
    this.problem = null;
    try {
      const change = { title: field("title"), category: field("category"), tags: tagsOf(field("tags")) };
      const channel = await editChannel(this.channel.nickname, change);
      this.channel = channel;
      this.saved = true;
      for (const name of FIELDS) keepDraft(this.#place(name), "");
      this.tell("saved", channel);
    } catch (error) {
      this.problem = asProblem(error);
      if (this.problem.code.startsWith("auth.")) for (const name of FIELDS) keepDraft(this.#place(name), field(name));
    }
  };
}

/** Without what would turn its direction or hide in it; the two joiners are spelling, of an emoji too. @param {string} typed */
function plain(typed) {
  return typed.replace(/(?![\u200c\u200d])\p{Cf}/gu, "").trim();
}

customElements.define("channel-form", ChannelForm);
