/**
 * Door: a text to be carried elsewhere: shown, or hidden until asked for, and copied with one press.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { copyFrom } from "../net/clipboard.js";
import { t } from "../net/words.js";
import * as actIcons from "./act_icons.js";
import { LightElement } from "./light_element.js";

/** Long enough to be seen, short enough to be gone before the next press. */
const SAID_MS = 2_000;
let count = 0;

export class CopyField extends LightElement {
  static properties = { label: {}, value: {}, secret: { type: Boolean }, said: { state: true }, shown: { state: true } };

  #id = `copy-field-${(count += 1)}`;

  constructor() {
    super();
    this.label = "";
    this.value = "";
    /** Dots until the reader asks: keys are often shown on a stream by mistake. */
    this.secret = false;
    /** @type {"" | "done" | "by_hand"} */
    this.said = "";
    this.shown = false;
  }

  render() {
    const hidden = this.secret && !this.shown;
    return html`
      <label for=${this.#id}>${this.label}</label>
      <div class="row">
        <input id=${this.#id} type=${hidden ? "password" : "text"} .value=${this.value} readonly autocomplete="off"
          spellcheck="false" translate="no" @focus=${this.#select}>
        ${this.secret
          ? html`<button class="quiet" type="button" aria-pressed=${this.shown} @click=${this.#toggle}>
              ${this.shown ? t("copy.hide") : t("copy.show")}
            </button>`
          : nothing}
        <button class="copy" type="button" @click=${this.#copy}>
          ${this.said === "done" ? actIcons.done : actIcons.copy}${this.said === "done" ? t("copy.done") : t("copy.copy")}
        </button>
      </div>
      <p class=${this.said === "by_hand" ? "said" : "visually-hidden"} role="status">${this.said === "" ? nothing : t(`copy.${this.said}`)}</p>
    `;
  }

  #toggle() {
    this.shown = !this.shown;
  }

  /** @param {FocusEvent} event */
  #select(event) {
    if (event.target instanceof HTMLInputElement) event.target.select();
  }

  async #copy() {
    const field = this.querySelector("input");
    if (field === null) return;
    // A password field cannot be copied by the old command, so it is a plain one for the moment of copying.
    const { type } = field;
    field.type = "text";
    this.said = (await copyFrom(field)) ? "done" : "by_hand";
    field.type = type;
    setTimeout(() => {
      this.said = "";
    }, SAID_MS);
  }
}

customElements.define("copy-field", CopyField);
