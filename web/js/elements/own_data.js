/**
 * Door: what the house keeps of a member, as files to take along.
 * @module
 */

import { html } from "/js/vendor/lit.js";
import { download } from "../net/download.js";
import { t } from "../net/words.js";
import { LightElement } from "./light_element.js";
import { refusal } from "./typed_form.js";

export class OwnData extends LightElement {
  static properties = { problem: { state: true }, busy: { state: true } };

  constructor() {
    super();
    /** @type {unknown} */
    this.problem = null;
    this.busy = false;
  }

  render() {
    return html`<section class="card">
      <h2>${t("account.data")}</h2>
      <p class="note">${t("account.data_words")}</p>
      <div class="row">
        <button class="quiet" type="button" aria-disabled=${this.busy} @click=${() => this.#take("/api/members/me/export", "commeow.json")}>${t("account.data_all")}</button>
        <button class="quiet" type="button" aria-disabled=${this.busy} @click=${() => this.#take("/api/points/history.csv", "points.csv")}>${t("account.data_points")}</button>
      </div>
      ${refusal(this.problem)}
    </section>`;
  }

  /** @param {string} path @param {string} name */
  async #take(path, name) {
    this.busy = true;
    this.problem = null;
    try {
      await download(path, name);
    } catch (error) {
      this.problem = error;
    }
    this.busy = false;
  }
}

customElements.define("own-data", OwnData);
