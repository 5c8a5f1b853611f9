/**
 * Door: what one's channel says of itself: title, category, tags.
 *
 * Events: `saved` with the channel as the house keeps it now.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { plain } from "../core/plain_text.js";
import { asProblem } from "../core/problem.js";
import { tagsOf } from "../core/tags.js";
import { editChannel } from "../net/studio_api.js";
import { t } from "../net/words.js";
import * as actIcons from "./act_icons.js";
import { LightElement } from "./light_element.js";
import { fillTyped, keepTyped, refusal } from "./typed_form.js";

/** What is typed here; too much of it is refused with words, where `maxlength` would cut what is pasted without one. */
const FIELDS = Object.freeze(["title", "category", "tags"]);

export class ChannelForm extends LightElement {
  /** Whose fields were filled in. @type {string | undefined} */
  #nickname;
  #busy = false;

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
    const form = this.querySelector("form");
    if (form !== null) fillTyped(form, this.#place);
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
      ${refusal(this.problem, this.#words())}
      <div class="row">
        <button type="submit" aria-disabled=${this.channel === null}>${this.saved ? actIcons.done : nothing}${t("save")}</button>
        <span class="said" role="status">${this.saved ? t("saved") : nothing}</span>
      </div>
    </form>`;
  }

  #words() {
    const { code, field = "" } = this.problem ?? {};
    return code === "wire.shape" && FIELDS.includes(field) ? t(`studio.shape.${field}`) : undefined;
  }

  get #place() {
    return `channel.${this.#nickname ?? ""}`;
  }

  #onInput = () => {
    this.saved = false;
  };

  /** @param {SubmitEvent} event */
  #onSubmit = async (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    if (!(form instanceof HTMLFormElement) || this.channel === null || this.#busy) return;
    this.#busy = true; // Not a disabled button: it would lose the focus, and the keyboard its place.
    const written = new FormData(form);
    const field = (/** @type {string} */ name) => plain(String(written.get(name) ?? ""));
    this.problem = null;
    try {
      const change = { title: field("title"), category: field("category"), tags: tagsOf(field("tags")) };
      const channel = await editChannel(this.channel.nickname, change);
      this.channel = channel;
      this.saved = true;
      await this.updateComplete;
      // As the house has it, which may be less than was typed; not what has been typed since.
      for (const input of form.querySelectorAll("input")) if (input.value === written.get(input.name)) input.value = input.defaultValue;
      this.tell("saved", channel);
    } catch (error) {
      this.problem = asProblem(error);
    }
    keepTyped(form, this.#place, this.problem);
    this.#busy = false;
  };
}

customElements.define("channel-form", ChannelForm);
