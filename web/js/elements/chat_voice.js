/**
 * Door: what a screen reader is told of the conversation, in its own time.
 * @module
 */

import { html } from "/js/vendor/lit.js";
import { heard, quiet, speak } from "../core/announcer.js";
import { t } from "../net/words.js";
import { LightElement } from "./light_element.js";

/** @param {import("../core/chat_log.js").Line} line that is worth saying */
export function told({ kind, nickname, points, text }) {
  if (kind === "donated") return t("chat.say_donated", { nickname: nickname || t("chat.anonymous"), count: points, text });
  return t("chat.say_mentioned", { nickname, text });
}

export class ChatVoice extends LightElement {
  static properties = { spoken: { state: true } };

  #announcer = quiet();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #speaking;

  constructor() {
    super();
    this.spoken = "";
  }

  disconnectedCallback() {
    clearTimeout(this.#speaking);
    super.disconnectedCallback();
  }

  /** @param {string} words */
  hear(words) {
    this.#announcer = heard(this.#announcer, words);
    this.#speak();
  }

  render() {
    return html`<p class="visually-hidden" aria-live="polite">${this.spoken}</p>`;
  }

  #speak = () => {
    clearTimeout(this.#speaking);
    const { announcer, text, dueInMs } = speak(this.#announcer, performance.now());
    this.#announcer = announcer;
    if (text !== null) this.spoken = text;
    if (dueInMs !== null) this.#speaking = setTimeout(this.#speak, dueInMs);
  };
}

customElements.define("chat-voice", ChatVoice);
