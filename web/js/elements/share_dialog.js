/**
 * Door: a channel carried elsewhere: its address, and the player for another site. Loaded when somebody asks for it.
 * @module
 */

import { createRef, html, nothing, ref } from "/js/vendor/lit.js";
import { embedCode } from "../net/api.js";
import { t } from "../net/words.js";
import * as actIcons from "./act_icons.js";
import "./copy_field.js";
import { LightElement } from "./light_element.js";

export class ShareDialog extends LightElement {
  static properties = { address: {}, code: { state: true } };

  /** @type {import("lit/directives/ref.js").Ref<HTMLDialogElement>} */
  #dialog = createRef();

  constructor() {
    super();
    /** The channel's page, whole. */
    this.address = "";
    /** @type {string | null} */
    this.code = null;
  }

  async open() {
    await this.updateComplete;
    const dialog = this.#dialog.value;
    if (dialog === undefined || dialog.open) return;
    dialog.showModal();
    // The address alone is worth having; a house that does not answer now is asked again the next time.
    this.code ??= await embedCode(this.address).catch(() => null);
  }

  render() {
    return html`
      <dialog aria-labelledby="share-title" ${ref(this.#dialog)}>
        <header>
          <h2 id="share-title">${t("share.title")}</h2>
          <form method="dialog"><button class="icon-button" aria-label=${t("close")} title=${t("close")}>${actIcons.close}</button></form>
        </header>
        <copy-field .label=${t("share.address")} .value=${this.address}></copy-field>
        ${this.code === null ? nothing : html`<copy-field .label=${t("share.code")} .value=${this.code}></copy-field>
          <p class="hint">${t("share.code_words")}</p>`}
      </dialog>
    `;
  }
}

customElements.define("share-dialog", ShareDialog);
