/**
 * Door: how long ago a channel was on air, as the clock goes on.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { format, t } from "../net/words.js";
import { LightElement } from "./light_element.js";

/** As fine as it is told; below it is "just now". */
const MINUTE_MS = 60_000;

export class LastLive extends LightElement {
  static properties = { moment: { attribute: false } };

  /** @type {ReturnType<typeof setInterval> | undefined} */
  #ticking;

  constructor() {
    super();
    /** When its last broadcast ended; null: there was none, or nobody knows. @type {string | null} */
    this.moment = null;
  }

  connectedCallback() {
    super.connectedCallback();
    this.#ticking = setInterval(() => this.requestUpdate(), MINUTE_MS);
  }

  disconnectedCallback() {
    clearInterval(this.#ticking);
    super.disconnectedCallback();
  }

  render() {
    if (this.moment === null) return nothing;
    const past = Date.now() - Date.parse(this.moment);
    const words = past < MINUTE_MS ? t("channel.last_live_now") : t("channel.last_live", { ago: format.ago(past) });
    return html`<time datetime=${this.moment} title=${format.day(this.moment)}>${words}</time>`;
  }
}

customElements.define("last-live", LastLive);
