/**
 * Door: tokens for a member's own programs: made with what they may do, shown once, revoked.
 * @module
 */

import { createRef, html, nothing, ref } from "/js/vendor/lit.js";
import { plain } from "../core/plain_text.js";
import { asProblem } from "../core/problem.js";
import { botTokens, makeBotToken, revokeBotToken } from "../net/account_api.js";
import { identity } from "../net/identity.js";
import { format, t } from "../net/words.js";
import "./copy_field.js";
import { LightElement } from "./light_element.js";
import { fillTyped, keepTyped, refusal } from "./typed_form.js";

/** What a program may be allowed, and what most want. */
const SCOPES = Object.freeze(["chat:read", "chat:write", "moderation:act"]);
const USUAL = Object.freeze(["chat:read", "chat:write"]);
const NAME_CHARACTERS_MAX = 40;

/** @typedef {import("../net/account_api.js").BotToken} BotToken */

export class BotTokens extends LightElement {
  static properties = {
    tokens: { state: true },
    made: { state: true },
    asked: { state: true },
    problem: { state: true },
    busy: { state: true },
  };

  /** @type {import("lit/directives/ref.js").Ref<HTMLDialogElement>} */
  #sure = createRef();
  #place = `tokens.${identity.nickname ?? ""}`;

  constructor() {
    super();
    /** @type {BotToken[] | null} */
    this.tokens = null;
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
    void this.refresh();
  }

  /** What was refused because a login had ended waits in the tab for the next. */
  firstUpdated() {
    const form = this.querySelector("form");
    if (form !== null) fillTyped(form, this.#place);
  }

  async refresh() {
    try {
      this.tokens = (await botTokens()).tokens;
      if (this.tokens.length === 0) this.made = null; // It is over, whichever it was.
    } catch (error) {
      this.problem = error;
    }
  }

  render() {
    return html`<section class="card">
      <h2>${t("account.tokens")}</h2>
      <p class="note">${t("account.tokens_words")}</p>
      <ul class="lines">${this.tokens?.map((one) => this.#line(one))}</ul>
      ${this.made === null ? nothing : html`<div class="made">
        <copy-field .label=${t("account.token")} .value=${this.made} secret></copy-field>
        <p class="note" role="status">${t("account.token_once")}</p>
      </div>`}
      <form novalidate @submit=${this.#onSubmit}>
        <label>${t("account.token_name")}
          <input name="name" type="text" autocomplete="off" required placeholder=${t("account.token_hint")}>
        </label>
        <fieldset>
          <legend>${t("account.scopes")}</legend>
          ${SCOPES.map((scope) => html`<label class="check"><input name="scope" type="checkbox" value=${scope} ?checked=${USUAL.includes(scope)}>${t(`account.scope.${scope}`)}</label>`)}
        </fieldset>
        ${refusal(this.problem, this.#words())}
        <div class="row"><button type="submit" aria-disabled=${this.busy}>${t("account.token_make")}</button></div>
      </form>
      ${this.#dialog()}
    </section>`;
  }

  #words() {
    const { code, field } = asProblem(this.problem);
    if (this.problem === "none") return t("account.scope_missing");
    return code === "wire.shape" && field === "name" ? t("account.token_name_shape", { count: NAME_CHARACTERS_MAX }) : undefined;
  }

  /** @param {BotToken} token */
  #line(token) {
    const { name, scopes, used_at } = token;
    return html`<li>
      <bdi class="what">${name}</bdi>
      <span class="when"><span>${scopes.map((scope) => t(`account.scope.${scope}`)).join(", ")}</span><span>${used_at === null ? t("account.never_used") : t("account.used", { when: format.day(used_at) })}</span></span>
      <button class="quiet small" type="button" aria-label=${t("account.revoke_one", { name })} @click=${() => this.#ask(token)}>${t("account.revoke")}</button>
    </li>`;
  }

  #dialog() {
    return html`<dialog ${ref(this.#sure)} aria-labelledby="revoke-title">
      <h2 id="revoke-title">${t("account.revoke_title", { name: this.asked?.name ?? "" })}</h2>
      <p>${t("account.revoke_words")}</p>
      <div class="row">
        <button class="quiet" type="button" autofocus @click=${() => this.#sure.value?.close()}>${t("cancel")}</button>
        <button type="button" aria-disabled=${this.busy} @click=${this.#revoke}>${t("account.revoke")}</button>
      </div>
    </dialog>`;
  }

  /** @param {BotToken} token */
  #ask(token) {
    this.asked = token;
    this.#sure.value?.showModal();
  }

  #revoke = async () => {
    const { asked } = this;
    if (asked === null) return;
    await this.#do(() => revokeBotToken(asked.id));
    this.#sure.value?.close();
  };

  /** @param {SubmitEvent} event */
  #onSubmit = async (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    if (!(form instanceof HTMLFormElement) || this.busy) return;
    const written = new FormData(form);
    const scopes = written.getAll("scope").map(String);
    if (scopes.length === 0) {
      this.problem = "none";
      return;
    }
    await this.#do(async () => {
      this.made = (await makeBotToken(plain(String(written.get("name") ?? "")), scopes)).token;
      form.reset();
    });
    keepTyped(form, this.#place, this.problem);
  };

  /** @param {() => Promise<unknown>} act */
  async #do(act) {
    this.busy = true;
    this.problem = null;
    try {
      await act();
      await this.refresh();
    } catch (error) {
      this.problem = error;
    }
    this.busy = false;
  }
}

customElements.define("bot-tokens", BotTokens);
