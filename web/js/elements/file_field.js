/**
 * Door: a field for a file, in the language of the page: the browser's own speaks the browser's.
 *
 * The browser's is still there, unseen: it has the keyboard's focus, opens the dialog and is in the form.
 * @module
 */

import { html } from "/js/vendor/lit.js";
import { t } from "../net/words.js";
import { LightElement } from "./light_element.js";

export class FileField extends LightElement {
  static properties = { label: {}, field: {}, accept: {}, chosen: { state: true } };

  /** @type {HTMLFormElement | null} */
  #form = null;

  constructor() {
    super();
    this.label = "";
    /** Its name in the form. */
    this.field = "";
    this.accept = "";
    /** The file's name. */
    this.chosen = "";
  }

  connectedCallback() {
    super.connectedCallback();
    this.#form = this.closest("form");
    this.#form?.addEventListener("reset", this.#onReset);
  }

  disconnectedCallback() {
    this.#form?.removeEventListener("reset", this.#onReset);
    super.disconnectedCallback();
  }

  render() {
    const about = `${this.field}-chosen`;
    return html`
      <span class="of" aria-hidden="true">${this.label}</span>
      <label class="button quiet">
        <input class="visually-hidden" type="file" name=${this.field} required accept=${this.accept}
          aria-label=${`${this.label}: ${t("file.choose")}`} aria-describedby=${about} @change=${this.#onChange}>
        <span>${t("file.choose")}</span>
      </label>
      <span class="chosen" id=${about}><bdi>${this.chosen === "" ? t("file.none") : this.chosen}</bdi></span>
    `;
  }

  /** @param {Event} event */
  #onChange = (event) => {
    if (event.target instanceof HTMLInputElement) this.chosen = event.target.files?.[0]?.name ?? "";
  };

  #onReset = () => {
    this.chosen = "";
  };
}

customElements.define("file-field", FileField);
