/**
 * Door: what one's channel says of itself: title, category, tags.
 *
 * Events: `saved` with the channel as the house keeps it now.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { asProblem } from "../core/problem.js";
import { tagsOf } from "../core/tags.js";
import { editChannel } from "../net/studio_api.js";
import { errorText, t } from "../net/words.js";
import * as actIcons from "./act_icons.js";
import { LightElement } from "./light_element.js";

const TITLE_CHARACTERS_MAX = 100;
const CATEGORY_CHARACTERS_MAX = 40;

export class ChannelForm extends LightElement {
  static properties = { channel: { attribute: false }, saved: { state: true }, problem: { state: true } };

  constructor() {
    super();
    /** Null until it is known. @type {import("../net/api.js").Channel | null} */
    this.channel = null;
    this.saved = false;
    /** @type {unknown} */
    this.problem = null;
  }

  render() {
    const { nickname = "", title = "", category = "", tags = [] } = this.channel ?? {};
    // `defaultValue`: the house is asked again and again, and must not overwrite what is being typed.
    return html`<form @submit=${this.#onSubmit} @input=${this.#onInput}>
      <label>${t("studio.title_label")}
        <input name="title" type="text" maxlength=${TITLE_CHARACTERS_MAX} autocomplete="off"
          .defaultValue=${title} placeholder=${t("channel.untitled", { nickname })}>
      </label>
      <div class="two">
        <label>${t("studio.category")}
          <input name="category" type="text" maxlength=${CATEGORY_CHARACTERS_MAX} autocomplete="off" .defaultValue=${category}>
        </label>
        <label>${t("studio.tags")}
          <input name="tags" type="text" autocomplete="off" .defaultValue=${tags.join(", ")} placeholder=${t("studio.tags_hint")}>
        </label>
      </div>
      ${this.problem === null ? nothing : html`<p class="problem" role="alert">${errorText(this.problem)}</p>`}
      <div class="row">
        <button type="submit" ?disabled=${this.channel === null}>${this.saved ? actIcons.done : nothing}${t("save")}</button>
        <span class="said" role="status">${this.saved ? t("saved") : nothing}</span>
      </div>
    </form>`;
  }

  #onInput = () => {
    this.saved = false;
  };

  /** @param {SubmitEvent} event */
  #onSubmit = async (event) => {
    event.preventDefault();
    if (!(event.currentTarget instanceof HTMLFormElement) || this.channel === null) return;
    const written = new FormData(event.currentTarget);
    const field = (/** @type {string} */ name) => String(written.get(name) ?? "").trim();
    this.problem = null;
    try {
      const change = { title: field("title"), category: field("category"), tags: tagsOf(field("tags")) };
      const channel = await editChannel(this.channel.nickname, change);
      this.channel = channel;
      this.saved = true;
      this.tell("saved", channel);
    } catch (error) {
      this.problem = asProblem(error);
    }
  };
}

customElements.define("channel-form", ChannelForm);
