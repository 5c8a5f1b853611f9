/**
 * Door: one's account: devices, programs, password, language, data, and the way out.
 * @module
 */

import { html } from "/js/vendor/lit.js";
import { language, speakInstead, t } from "../net/words.js";
import { BotTokens } from "./bot_tokens.js";
import "./leave_form.js";
import { LightElement } from "./light_element.js";
import { LoginList } from "./login_list.js";
import "./own_data.js";
import "./password_form.js";

/** Each by its own name, whatever the page speaks. */
const LANGUAGES = Object.freeze(["ko", "en"]);

export class AccountDesk extends LightElement {
  render() {
    return html`
      <login-list></login-list>
      <password-form @changed=${this.#onChanged}></password-form>
      <section class="card">
        <h2>${t("account.language")}</h2>
        <div class="row" role="group" aria-label=${t("account.language")}>
          ${LANGUAGES.map((one) => html`<button class="quiet choice" type="button" lang=${one} aria-pressed=${one === language ? "true" : "false"} @click=${() => speakInstead(one)}>${t(one === language ? "account.language_this" : "nav.other_language")}</button>`)}
        </div>
      </section>
      <bot-tokens></bot-tokens>
      <own-data></own-data>
      <leave-form></leave-form>
    `;
  }

  /** The other devices are gone with the old password, and tokens too unless they were kept. */
  #onChanged = () => {
    for (const list of this.querySelectorAll("login-list, bot-tokens")) {
      if (list instanceof LoginList || list instanceof BotTokens) void list.refresh();
    }
  };
}

customElements.define("account-desk", AccountDesk);
