/**
 * Door: a streamer's own pictures for the chat: which there are, one more, one less.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { emotesOf } from "../net/emotes.js";
import { putEmote, removeEmote } from "../net/own_emotes.js";
import { errorText, t } from "../net/words.js";
import { LightElement } from "./light_element.js";

/** @typedef {import("../core/emotes.js").Emote} Emote */

/** As the house takes them (PROTOCOL.md, Emotes): said here before it has to. */
const CODE = "[a-z0-9_\\uac00-\\ud7a3]{2,20}";
const TYPES = "image/png,image/webp,image/gif";

export class EmoteDesk extends LightElement {
  static properties = {
    nickname: {},
    emotes: { state: true },
    busy: { state: true },
    problem: { state: true },
    said: { state: true },
  };

  constructor() {
    super();
    this.nickname = "";
    /** Null until the house has answered. @type {Emote[] | null} */
    this.emotes = null;
    this.busy = false;
    /** @type {unknown} */
    this.problem = null;
    this.said = "";
  }

  connectedCallback() {
    super.connectedCallback();
    void this.#do(async () => "");
  }

  render() {
    return html`<section class="card emotes" aria-busy=${this.emotes === null}>
      <h2>${t("emotes.title")}</h2>
      <p class="note">${t("emotes.words")}</p>
      ${this.emotes === null || this.emotes.length === 0 ? nothing : html`<ul>${this.emotes.map((emote) => this.#emote(emote))}</ul>`}
      <form @submit=${this.#onSubmit}>
        <div class="two">
          <label>${t("emotes.code")}
            <input name="code" type="text" required pattern=${CODE} autocomplete="off" autocapitalize="none" spellcheck="false">
          </label>
          <label>${t("emotes.picture")}
            <input name="picture" type="file" required accept=${TYPES}>
          </label>
        </div>
        ${this.problem === null ? nothing : html`<p class="problem" role="alert">${errorText(this.problem)}</p>`}
        <div class="row">
          <button type="submit" ?disabled=${this.busy}>${t("emotes.add")}</button>
          <span class="said" role="status">${this.said}</span>
        </div>
      </form>
    </section>`;
  }

  /** @param {Emote} emote */
  #emote({ code, url, width, height }) {
    const label = t("emotes.remove", { code });
    return html`<li><img class="emote" src=${url} alt="" width=${width} height=${height} loading="lazy"> <code>:${code}:</code>
      <button class="quiet small" type="button" aria-label=${label} ?disabled=${this.busy}
        @click=${() => this.#do(async () => { await removeEmote(this.nickname, code); return t("emotes.removed", { code }); })}>${t("emotes.remove_short")}</button></li>`;
  }

  /** @param {SubmitEvent} event */
  #onSubmit = async (event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    const given = new FormData(form);
    const picture = given.get("picture");
    if (!(picture instanceof File)) return;
    await this.#do(async () => {
      const { code } = await putEmote(this.nickname, String(given.get("code")), picture);
      form.reset();
      return t("emotes.added", { code });
    });
  };

  /** Do something, and look what there is after it. @param {() => Promise<string>} act */
  async #do(act) {
    this.busy = true;
    this.problem = null;
    this.said = "";
    try {
      const said = await act();
      this.emotes = [...(await emotesOf(this.nickname)).values()].filter((emote) => !emote.house);
      this.said = said;
    } catch (error) {
      this.problem = error;
    }
    this.busy = false;
  }
}

customElements.define("emote-desk", EmoteDesk);
