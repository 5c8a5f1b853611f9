/**
 * Door: the list of the player's keys, as a dialog. Loaded when somebody asks for it.
 * @module
 */

import { createRef, html, ref } from "/js/vendor/lit.js";
import { t } from "../net/words.js";
import * as actIcons from "./act_icons.js";
import { LightElement } from "./light_element.js";

/** What does what, as in PlayerControls.actOf; `values` fill in the words. */
const KEYS = Object.freeze([
  { keys: ["K"], words: "keys.toggle" },
  { keys: ["J"], words: "player.back", values: { count: 10 } },
  { keys: ["←", "→"], words: "keys.step" },
  { keys: ["L"], words: "player.go_live" },
  { keys: ["M"], words: "keys.sound" },
  { keys: ["↑", "↓"], words: "keys.volume" },
  { keys: ["C"], words: "player.captions" },
  { keys: ["T"], words: "player.theatre" },
  { keys: ["I"], words: "player.window" },
  { keys: ["F"], words: "player.whole" },
  { keys: ["?"], words: "keys.title" },
]);

export class PlayerKeys extends LightElement {
  /** @type {import("lit/directives/ref.js").Ref<HTMLDialogElement>} */
  #dialog = createRef();

  async open() {
    await this.updateComplete;
    const dialog = this.#dialog.value;
    if (dialog !== undefined && !dialog.open) dialog.showModal();
  }

  render() {
    return html`
      <dialog aria-labelledby="keys-title" ${ref(this.#dialog)} @keydown=${this.#onKey}>
        <div class="row">
          <h2 id="keys-title">${t("keys.title")}</h2>
          <form method="dialog"><button class="icon-button" aria-label=${t("close")} title=${t("close")}>${actIcons.close}</button></form>
        </div>
        <dl>${KEYS.map(({ keys, words, values }) => html`
          <div><dt>${t(words, values)}</dt><dd>${keys.map((key) => html`<kbd>${key}</kbd> `)}</dd></div>`)}
        </dl>
      </dialog>
    `;
  }

  /** The keys are the player's again when the list is closed; the one that opened it closes it. @param {KeyboardEvent} event */
  #onKey = (event) => {
    event.stopPropagation();
    if (event.key === "?") this.#dialog.value?.close();
  };
}

customElements.define("player-keys", PlayerKeys);
