/**
 * Door: how the streamer's own broadcast does: what arrives, in numbers, and what to set otherwise.
 *
 * Draws nothing while off air.
 * @module
 */

import { streamHealth } from "../net/studio_api.js";
import { html, nothing } from "/js/vendor/lit.js";
import { codecName, encoderName, kilobits } from "../core/stream_health.js";
import { t } from "../net/words.js";
import * as actIcons from "./act_icons.js";
import { LightElement } from "./light_element.js";
import "./stream_graphs.js";

/** A setting that was changed in the encoder is seen to work while one still looks. */
const ASK_EVERY_MS = 2_000;

export class StreamHealth extends LightElement {
  static properties = { nickname: {}, health: { state: true } };

  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  constructor() {
    super();
    this.nickname = "";
    /** @type {import("../core/stream_health.js").Health | null} */
    this.health = null;
  }

  connectedCallback() {
    super.connectedCallback();
    this.#timer = setInterval(this.#ask, ASK_EVERY_MS);
    void this.#ask();
  }

  disconnectedCallback() {
    clearInterval(this.#timer);
    super.disconnectedCallback();
  }

  #ask = async () => {
    if (document.visibilityState === "hidden") return;
    try {
      this.health = await streamHealth(this.nickname);
    } catch {
      this.health = null; // The desk says what is wrong; old numbers would say that all is well.
    }
  };

  render() {
    if (this.health === null) return nothing;
    const graphs = html`<stream-graphs .nickname=${this.nickname}></stream-graphs>`;
    if (this.health.state === "interrupted") return this.#card(html`<p class="problem">${t("health.interrupted")}</p>${graphs}`);
    if (this.health.state !== "live") return nothing;
    const name = encoderName(this.health.encoder) ?? t("health.encoder");
    return this.#card(html`
      <p class="connected">${t("health.connected", { encoder: name })}</p>
      ${this.#facts(this.health)} ${graphs} ${this.#verdicts(this.health.verdicts)}
    `);
  }

  /** @param {unknown} inside */
  #card(inside) {
    return html`<section class="card" aria-labelledby="health-title"><h2 id="health-title">${t("health.title")}</h2>${inside}</section>`;
  }

  /** @param {import("../core/stream_health.js").Health} health */
  #facts(health) {
    const { picture, sound } = health;
    return html`<dl>
      ${fact(t("health.picture"), picture === null ? null : [
        `${picture.width}×${picture.height}`,
        ...(picture.frames_a_second === null ? [] : [t("health.frames", { frames: Math.round(picture.frames_a_second) })]),
        codecName(picture.codec),
      ])}
      ${fact(t("health.sound"), sound === null ? null : [t("health.hertz", { kilohertz: sound.rate / 1000 }), codecName(sound.codec)])}
      ${fact(t("health.rate"), [t("health.kilobits", { kilobits: kilobits(health) })])}
      ${picture === null ? nothing : fact(t("health.interval"), [
        picture.keyframe_seconds === null ? t("health.measuring") : t("health.every", { seconds: picture.keyframe_seconds }),
      ])}
    </dl>`;
  }

  /** @param {import("../core/stream_health.js").Verdict[]} verdicts */
  #verdicts(verdicts) {
    if (verdicts.length === 0) return nothing;
    return html`<ul class="verdicts">${verdicts.map(
      ({ code, level, values }) => html`<li class=${level}>${ICONS[level]}<span>${t(`health.${code}`, values)}</span></li>`,
    )}</ul>`;
  }
}

const ICONS = { good: actIcons.done, hint: actIcons.hint, bad: actIcons.warning };

/** @param {string} name @param {string[] | null} said */
function fact(name, said) {
  return html`<div><dt>${name}</dt><dd>${said === null ? t("health.absent") : said.join(" · ")}</dd></div>`;
}

customElements.define("stream-health", StreamHealth);
