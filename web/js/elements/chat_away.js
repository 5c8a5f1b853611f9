/**
 * Door: the word beside the composer that the house's store is away, so that a part of the room only sees what is said.
 *
 * Events: `worth-saying`, once an absence (for the screen reader).
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { t } from "../net/words.js";
import { LightElement } from "./light_element.js";

/** An absence that is over sooner is none. */
const AWAY_MS_MIN = 1_000;

export class ChatAway extends LightElement {
  static properties = { wire: { attribute: false }, away: { state: true } };

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {Element | null} */
  #room = null;

  constructor() {
    super();
    /** @type {import("../net/wire.js").Wire | null} */
    this.wire = null;
    this.away = false;
  }

  connectedCallback() {
    super.connectedCallback();
    this.#room = this.closest("chat-room");
    this.#room?.addEventListener("room-news", this.#onNews);
    this.wire?.addEventListener("state", this.#onState);
  }

  disconnectedCallback() {
    this.#room?.removeEventListener("room-news", this.#onNews);
    this.wire?.removeEventListener("state", this.#onState);
    clearTimeout(this.#timer);
    super.disconnectedCallback();
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    if (!changed.has("wire")) return;
    /** @type {import("../net/wire.js").Wire | null | undefined} */ (changed.get("wire"))?.removeEventListener("state", this.#onState);
    this.wire?.addEventListener("state", this.#onState);
  }

  render() {
    return this.away ? html`<p class="state">${t("chat.away")}</p>` : nothing;
  }

  /** @param {Event} event */
  #onNews = (event) => {
    const { kind } = /** @type {CustomEvent<import("../core/chat_log.js").RoomEvent>} */ (event).detail;
    if (kind === "back") this.#end();
    if (kind !== "away" || this.away) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.away = true;
      this.tell("worth-saying", t("chat.away"));
    }, AWAY_MS_MIN);
  };

  /** Whoever answers next says so anew. */
  #onState = () => {
    if (this.wire?.state !== "open") this.#end();
  };

  #end() {
    clearTimeout(this.#timer);
    this.away = false;
  }
}

customElements.define("chat-away", ChatAway);
