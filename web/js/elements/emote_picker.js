/**
 * Door: the pictures that one can put into a line, to be picked with a finger, a mouse or the arrow keys.
 *
 * Loaded when it is opened for the first time. Events: `picked` with the code, `done`.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { t } from "../net/words.js";
import { LightElement } from "./light_element.js";

/** @typedef {import("../core/emotes.js").Emotes} Emotes */

export class EmotePicker extends LightElement {
  static properties = {
    emotes: { attribute: false },
    open: { type: Boolean },
  };

  /** It was opened, and its first picture has not been given the focus yet. */
  #welcoming = false;

  constructor() {
    super();
    /** Null until they are known; none when they could not be had. @type {Emotes | null} */
    this.emotes = null;
    this.open = false;
  }

  /** @param {Map<string, unknown>} changed */
  updated(changed) {
    if (changed.has("open")) this.#welcoming = this.open;
    if (!this.#welcoming) return;
    const first = this.querySelector("button");
    if (first === null) return; // The pictures are still on their way.
    this.#welcoming = false;
    // Who has gone on to write meanwhile stays there.
    if (changed.has("open") || !(document.activeElement instanceof HTMLTextAreaElement)) first.focus();
  }

  render() {
    if (!this.open) return nothing;
    if (this.emotes === null) return html`<p class="note" role="status"><span class="spinner" aria-hidden="true"></span>${t("chat.emotes_coming")}</p>`;
    if (this.emotes.size === 0) return html`<p class="note" role="status">${t("chat.emotes_none")}</p>`;
    return html`<div role="toolbar" aria-label=${t("chat.emotes")} @keydown=${this.#onKey}>
      ${[...this.emotes.values()].map(({ code, url, width, height }, index) => html`<button class="quiet" type="button"
        tabindex=${index === 0 ? 0 : -1} title=${`:${code}:`} @click=${() => this.tell("picked", code)}><img
        class="emote" src=${url} alt=${`:${code}:`} width=${width} height=${height} loading="lazy"></button>`)}
    </div>`;
  }

  /** The arrow keys go from picture to picture (WAI-ARIA, toolbar). @param {KeyboardEvent} event */
  #onKey = (event) => {
    const all = [...this.querySelectorAll("button")];
    const at = all.findIndex((each) => each === document.activeElement);
    switch (event.key) {
      case "ArrowRight":
      case "ArrowDown":
        all[(at + 1) % all.length]?.focus();
        break;
      case "ArrowLeft":
      case "ArrowUp":
        all.at(at - 1)?.focus();
        break;
      case "Home":
        all[0]?.focus();
        break;
      case "End":
        all.at(-1)?.focus();
        break;
      case "Escape":
        this.tell("done");
        break;
      default:
        return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
}

customElements.define("emote-picker", EmotePicker);
