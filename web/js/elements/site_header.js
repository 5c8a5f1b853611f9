/**
 * Door: the head of each page: the house, the way to one's own things, the language.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { logInPath, signUpPath } from "../core/next_path.js";
import { cameFrom, identity } from "../net/identity.js";
import { language, speakInstead, t } from "../net/words.js";
import * as icons from "./icons.js";
import { LightElement } from "./light_element.js";
import "./reload_hint.js";

/** Of what is searched: the browser makes an address of it, and a whole page that was pasted would be refused. */
const QUERY_CHARACTERS_MAX = 100;

export class SiteHeader extends LightElement {
  #changed = () => this.requestUpdate();

  connectedCallback() {
    super.connectedCallback();
    identity.addEventListener("change", this.#changed);
    // The kept name is only a hint: ask who this is. A house that cannot be asked changes nothing here.
    identity.token().catch(() => null);
  }

  disconnectedCallback() {
    identity.removeEventListener("change", this.#changed);
    super.disconnectedCallback();
  }

  render() {
    const { nickname } = identity;
    const other = language === "ko" ? "en" : "ko";
    return html`
      <a class="skip" href="#main">${t("nav.skip")}</a>
      <a class="brand" href="/" aria-label=${t("nav.home")}>${icons.mark}<span>${t("brand")}</span></a>
      ${document.body.classList.contains("home") ? nothing : this.#search()}
      <nav aria-label=${t("nav.label")}>
        <button class="quiet language" type="button" lang=${other} @click=${() => speakInstead(other)}>
          ${icons.language}<span>${t("nav.other_language")}</span>
        </button>
        ${nickname === null ? this.#guest() : this.#member(nickname)}
      </nav>
    `;
  }

  /** From everywhere to the list of who is on; that page has the field beside its list. */
  #search() {
    return html`<search>
      <form class="finder" action="/">
        <label class="visually-hidden" for="find">${t("home.search")}</label>
        ${icons.search}
        <input id="find" type="search" name="q" maxlength=${QUERY_CHARACTERS_MAX} placeholder=${t("home.search")} autocomplete="off" enterkeyhint="search">
      </form>
    </search>`;
  }

  #guest() {
    const here = location.pathname === "/login" || location.pathname === "/signup" ? cameFrom() : location.pathname;
    return html`
      <a class="button quiet" href=${logInPath(here)}>${t("nav.log_in")}</a>
      <a class="button" href=${signUpPath(here)}>${t("nav.sign_up")}</a>
    `;
  }

  /** @param {string} nickname */
  #member(nickname) {
    return html`
      <button class="me quiet" type="button" popovertarget="me-menu" aria-label=${t("nav.menu", { nickname })}>
        <span class="face">${icons.cat(nickname)}</span><span class="name">${nickname}</span>
      </button>
      <div class="menu" id="me-menu" popover>
        <a href=${`/c/${encodeURIComponent(nickname)}`}>${t("nav.my_channel")}</a>
        <a href="/studio">${t("nav.studio")}</a>
        <a href="/wallet">${t("nav.wallet")}</a>
        <a href="/account">${t("nav.account")}</a>
        <button type="button" @click=${this.#leave}>${t("nav.log_out")}</button>
      </div>
    `;
  }

  async #leave() {
    if (await identity.logOut()) location.assign("/");
    else location.reload(); // It shows who is here now.
  }
}

customElements.define("site-header", SiteHeader);
