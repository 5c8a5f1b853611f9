/**
 * Door: a streamer's own pictures for the chat: which there are, one more, one less.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { Problem } from "../core/problem.js";
import { emotesOf } from "../net/emotes.js";
import { putEmote, removeEmote } from "../net/own_emotes.js";
import { t } from "../net/words.js";
import "./file_field.js";
import { LightElement } from "./light_element.js";
import { fillTyped, keepTyped, refusal } from "./typed_form.js";

/** @typedef {import("../core/emotes.js").Emote} Emote */

/** As the house takes them (PROTOCOL.md, Emotes): said here before it has to. */
const CODE = /^[a-z0-9_\uac00-\ud7a3]{2,20}$/;
const PICTURE_BYTES_MAX = 32 * 1024;
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

  /** A code that was refused because a login had ended waits in the tab for the next. */
  firstUpdated() {
    const form = this.querySelector("form");
    if (form !== null) fillTyped(form, this.#place);
  }

  get #place() {
    return `emotes.${this.nickname}`;
  }

  render() {
    return html`<section class="card emotes" aria-busy=${this.emotes === null}>
      <h2>${t("emotes.title")}</h2>
      <p class="note">${t("emotes.words")}</p>
      ${this.emotes === null || this.emotes.length === 0 ? nothing : html`<ul>${this.emotes.map((emote) => this.#emote(emote))}</ul>`}
      <form novalidate @submit=${this.#onSubmit}>
        <div class="two">
          <label>${t("emotes.code")}
            <input name="code" type="text" required autocomplete="off" autocapitalize="none" spellcheck="false">
          </label>
          <file-field .label=${t("emotes.picture")} .field=${"picture"} .accept=${TYPES}></file-field>
        </div>
        ${refusal(this.problem)}
        <div class="row">
          <button type="submit" aria-disabled=${this.busy}>${t("emotes.add")}</button>
          <span class="said" role="status">${this.said}</span>
        </div>
      </form>
    </section>`;
  }

  /** @param {Emote} emote */
  #emote({ code, url, width, height }) {
    const label = t("emotes.remove", { code });
    return html`<li><img class="emote" src=${url} alt="" width=${width} height=${height} loading="lazy"> <code>:${code}:</code>
      <button class="quiet small" type="button" aria-label=${label} aria-disabled=${this.busy}
        @click=${() => this.#do(async () => { await removeEmote(this.nickname, code); return t("emotes.removed", { code }); })}>${t("emotes.remove_short")}</button></li>`;
  }

  /** @param {SubmitEvent} event */
  #onSubmit = async (event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    const given = new FormData(form);
    const picture = given.get("picture");
    if (!(picture instanceof File) || this.busy) return;
    const wanted = String(given.get("code")).trim().normalize("NFC");
    await this.#do(async () => {
      if (!CODE.test(wanted)) throw new Problem("emote.code");
      if (picture.size === 0 || picture.size > PICTURE_BYTES_MAX || !TYPES.includes(picture.type)) throw new Problem("emote.image");
      const { code } = await putEmote(this.nickname, wanted, picture);
      form.reset();
      return t("emotes.added", { code });
    });
    keepTyped(form, this.#place, this.problem);
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
