/**
 * Door: what the last broadcast has come to, and the ones before it.
 * @module
 */

import { html, nothing, repeat } from "/js/vendor/lit.js";
import { duration } from "../core/format.js";
import { format, t } from "../net/words.js";
import { LightElement } from "./light_element.js";

/** @typedef {import("../net/studio_api.js").PastBroadcast} PastBroadcast */

export class PastBroadcasts extends LightElement {
  static properties = { broadcasts: { attribute: false } };

  constructor() {
    super();
    /** The latest first. @type {PastBroadcast[]} */
    this.broadcasts = [];
  }

  render() {
    const [last, ...earlier] = this.broadcasts;
    if (last === undefined) return html`<section class="card"><h2>${t("past.last")}</h2><p class="note">${t("past.none")}</p></section>`;
    return html`<section class="card">
      <h2>${t("past.last")}</h2>
      ${this.#summary(last)}
      ${earlier.length === 0 ? nothing : html`<details>
        <summary><h3>${t("past.earlier")}<span class="count">${format.count(earlier.length)}</span></h3></summary>
        <ul>${repeat(earlier, ({ id }) => id, (one) => html`<li>${this.#summary(one)}</li>`)}</ul>
      </details>`}
    </section>`;
  }

  /** @param {PastBroadcast} broadcast */
  #summary({ started_at, seconds, viewers, new_followers, points, donations }) {
    return html`
      <time datetime=${started_at}>${format.day(started_at)}</time>
      <dl>
        ${this.#figure("past.on_air", duration(seconds * 1000))}
        ${this.#figure("past.peak", viewers === null ? null : format.count(viewers.peak))}
        ${this.#figure("past.average", viewers === null ? null : format.count(viewers.average))}
        ${this.#figure("past.new_followers", format.count(new_followers))}
        ${this.#figure("past.points", format.count(points))}
        ${this.#figure("past.donations", format.count(donations))}
      </dl>
    `;
  }

  /** @param {string} key @param {string | null} figure null: nobody knows */
  #figure(key, figure) {
    return html`<div><dt>${t(key)}</dt><dd ?data-unknown=${figure === null}>${figure ?? t("past.not_counted")}</dd></div>`;
  }
}

customElements.define("past-broadcasts", PastBroadcasts);
