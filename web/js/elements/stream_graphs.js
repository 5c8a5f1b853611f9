/**
 * Door: how the broadcast has done so far: viewers, bitrate, pictures a second, keyframes, as a small line each.
 *
 * The house keeps the figures, so they begin where the broadcast did and not where the page was opened.
 * @module
 */

import { html, svg } from "/js/vendor/lit.js";
import { extent, FIGURES, joined, lines, nextOf } from "../core/series.js";
import { healthHistory } from "../net/studio_api.js";
import { format, t } from "../net/words.js";
import { LightElement } from "./light_element.js";

const BOX = Object.freeze({ width: 240, height: 40 });
/** As often as the house takes a sample. */
const ASK_EVERY_MS = 5_000;

export class StreamGraphs extends LightElement {
  static properties = { nickname: {}, history: { state: true } };

  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  constructor() {
    super();
    this.nickname = "";
    /** @type {import("../core/series.js").History | null} */
    this.history = null;
  }

  /** The name is known by then. */
  firstUpdated() {
    void this.#ask();
  }

  connectedCallback() {
    super.connectedCallback();
    this.#timer = setInterval(this.#ask, ASK_EVERY_MS);
  }

  disconnectedCallback() {
    clearInterval(this.#timer);
    super.disconnectedCallback();
  }

  #ask = async () => {
    if (document.visibilityState === "hidden") return;
    const known = this.history;
    try {
      const whole = joined(known, await healthHistory(this.nickname, nextOf(known)));
      const found = whole ?? (await healthHistory(this.nickname, 0));
      if (known === this.history) this.history = found;
    } catch {
      // The desk says what is wrong. What is drawn stays true of its time.
    }
  };

  render() {
    const { history } = this;
    if (history === null || history.viewers.length < 2) return FIGURES.map((figure) => blank(t(`graphs.${figure}`)));
    const minutes = Math.max(1, Math.round((history.viewers.length * history.every_seconds) / 60));
    return FIGURES.map((figure) => this.#graph(t(`graphs.${figure}`), history[figure], minutes));
  }

  /** @param {string} name @param {import("../core/series.js").Series} series @param {number} minutes */
  #graph(name, series, minutes) {
    const found = extent(series);
    if (found === null) return blank(name);
    const now = found.now === null ? t("graphs.unknown") : format.count(found.now);
    const most = format.count(found.most);
    const words = t("graphs.say", { name, count: minutes, now, least: format.count(found.least), most });
    return html`<figure>
      <figcaption><span>${name}</span><span>${now}</span></figcaption>
      <svg role="img" aria-label=${words} viewBox="0 -2 ${BOX.width} ${BOX.height + 4}" preserveAspectRatio="none">
        ${lines(series, BOX).map((points) => svg`<polyline points=${points}></polyline>`)}
      </svg>
      <p aria-hidden="true"><span>${t("graphs.since", { count: minutes })}</span><span>${t("graphs.most", { most })}</span></p>
    </figure>`;
  }
}

/** Its place, until there is a line to draw. @param {string} name */
function blank(name) {
  return html`<figure aria-hidden="true"><figcaption><span>${name}</span></figcaption>
    <svg viewBox="0 -2 ${BOX.width} ${BOX.height + 4}" preserveAspectRatio="none"></svg><p>&nbsp;</p></figure>`;
}

customElements.define("stream-graphs", StreamGraphs);
