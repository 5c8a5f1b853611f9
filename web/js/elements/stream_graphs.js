/**
 * Door: viewers and bitrate over the last minutes, as two small lines.
 *
 * It knows what it has been told since the page was opened: the house keeps no such figures.
 * @module
 */

import { html, nothing, svg } from "/js/vendor/lit.js";
import { added, points } from "../core/series.js";
import { format, t } from "../net/words.js";
import { LightElement } from "./light_element.js";

const BOX = Object.freeze({ width: 240, height: 40 });

/** @typedef {{ viewers: number | null, kilobits: number }} Sample */

export class StreamGraphs extends LightElement {
  static properties = { sample: { attribute: false } };

  /** @type {number[]} */
  #viewers = [];
  /** @type {number[]} */
  #kilobits = [];

  constructor() {
    super();
    /** The newest figures; a new object each time. @type {Sample | null} */
    this.sample = null;
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    if (!changed.has("sample") || this.sample === null) return;
    if (this.sample.viewers !== null) this.#viewers = added(this.#viewers, this.sample.viewers);
    this.#kilobits = added(this.#kilobits, this.sample.kilobits);
  }

  render() {
    return html`${this.#graph(t("graphs.viewers"), this.#viewers)} ${this.#graph(t("graphs.kilobits"), this.#kilobits)}`;
  }

  /** @param {string} name @param {number[]} series */
  #graph(name, series) {
    const now = series.at(-1);
    if (now === undefined || series.length < 2) return nothing;
    const words = t("graphs.say", { name, now: format.count(now), most: format.count(Math.max(...series)) });
    return html`<figure>
      <figcaption><span>${name}</span><span>${format.count(now)}</span></figcaption>
      <svg role="img" aria-label=${words} viewBox="0 -2 ${BOX.width} ${BOX.height + 4}" preserveAspectRatio="none">
        ${svg`<polyline points=${points(series, BOX)}></polyline>`}
      </svg>
    </figure>`;
  }
}

customElements.define("stream-graphs", StreamGraphs);
