/**
 * Door: the links that lay alerts, chat and goal over a broadcast in OBS: made, copied, revoked.
 * @module
 */

import { createRef, html, nothing, ref } from "/js/vendor/lit.js";
import { botTokens, makeBotToken, revokeBotToken } from "../net/account_api.js";
import { setting } from "../net/settings.js";
import { format, language, t } from "../net/words.js";
import "./copy_field.js";
import { LightElement } from "./light_element.js";
import { refusal } from "./typed_form.js";

const SCOPE = "overlay:watch";
/** What the list of all of a member's tokens calls it; a name of a program, like the others there. */
const NAME = "OBS";
const KINDS = Object.freeze(["alerts", "chat", "goal"]);

/** @typedef {import("../net/account_api.js").BotToken} BotToken */

export class OverlayLinks extends LightElement {
  static properties = {
    links: { state: true },
    made: { state: true },
    asked: { state: true },
    problem: { state: true },
    busy: { state: true },
  };

  /** @type {import("lit/directives/ref.js").Ref<HTMLDialogElement>} */
  #sure = createRef();

  constructor() {
    super();
    /** @type {BotToken[]} */
    this.links = [];
    /** A token that was just made; the house cannot show it again. @type {string | null} */
    this.made = null;
    /** The one that is to be revoked. @type {BotToken | null} */
    this.asked = null;
    /** @type {unknown} */
    this.problem = null;
    this.busy = false;
  }

  connectedCallback() {
    super.connectedCallback();
    void this.#do(async () => {});
  }

  render() {
    return html`<section class="card overlays">
      <h2>${t("overlay.title")}</h2>
      <p class="note">${t("overlay.words")}</p>
      ${this.made === null ? nothing : html`<div class="made">
        ${KINDS.map((kind) => html`<copy-field .label=${t(`overlay.${kind}`)} .value=${address(this.made ?? "", kind)} secret></copy-field>`)}
        ${setting("commeow-speaks") === "" ? nothing : html`<copy-field .label=${t("overlay.aloud")} .value=${`${address(this.made, "alerts")}&aloud`} secret></copy-field>`}
        <p class="note" role="status">${t("overlay.once")}</p>
      </div>`}
      <ul class="lines">${this.links.map((one) => this.#line(one))}</ul>
      ${refusal(this.problem)}
      <div class="row"><button class="quiet" type="button" aria-disabled=${this.busy} @click=${this.#make}>${t("overlay.make")}</button></div>
      <dialog ${ref(this.#sure)} aria-labelledby="unlink-title">
        <h2 id="unlink-title">${t("overlay.revoke_title")}</h2>
        <p>${t("overlay.revoke_words")}</p>
        <div class="row">
          <button class="quiet" type="button" autofocus @click=${() => this.#sure.value?.close()}>${t("cancel")}</button>
          <button type="button" aria-disabled=${this.busy} @click=${this.#revoke}>${t("account.revoke")}</button>
        </div>
      </dialog>
    </section>`;
  }

  /** @param {BotToken} link */
  #line(link) {
    const { created_at, used_at } = link;
    const name = t("overlay.link_of", { when: format.day(created_at) });
    return html`<li>
      <span class="what">${name}</span>
      <span class="when">${used_at === null ? t("account.never_used") : t("account.used", { when: format.day(used_at) })}</span>
      <button class="quiet small" type="button" aria-label=${`${t("account.revoke")}: ${name}`} @click=${() => this.#ask(link)}>${t("account.revoke")}</button>
    </li>`;
  }

  /** @param {BotToken} link */
  #ask(link) {
    this.asked = link;
    this.#sure.value?.showModal();
  }

  #make = () =>
    this.#do(async () => {
      this.made = (await makeBotToken(NAME, [SCOPE])).token;
    });

  #revoke = async () => {
    const { asked } = this;
    if (asked === null) return;
    await this.#do(async () => {
      await revokeBotToken(asked.id);
      this.made = null;
    });
    this.#sure.value?.close();
  };

  /** @param {() => Promise<unknown>} act */
  async #do(act) {
    this.busy = true;
    this.problem = null;
    try {
      await act();
      this.links = (await botTokens()).tokens.filter(({ scopes }) => scopes.includes(SCOPE));
    } catch (error) {
      this.problem = error;
    }
    this.busy = false;
  }
}

/** @param {string} token @param {string} kind */
function address(token, kind) {
  return `${location.origin}/overlay/${token}/${kind}?lang=${language}`;
}

customElements.define("overlay-links", OverlayLinks);
