/**
 * Door: how the streamer's own broadcast does: what arrives, in numbers, what to set otherwise, and the way to cut it off.
 *
 * Draws nothing while off air, but for the word of an encoder that was cut. Events: `rotated` with the new key, `looked`
 * when it has asked.
 * @module
 */

import { createRef, html, nothing, ref } from "/js/vendor/lit.js";
import { cutEncoder, rotateStreamKey, streamHealth } from "../net/studio_api.js";
import { codecName, encoderName, kilobits } from "../core/stream_health.js";
import { t } from "../net/words.js";
import * as actIcons from "./act_icons.js";
import { LightElement } from "./light_element.js";
import "./stream_graphs.js";
import { refusal } from "./typed_form.js";

/** A setting that was changed in the encoder is seen to work while one still looks. */
const ASK_EVERY_MS = 2_000;

export class StreamHealth extends LightElement {
  static properties = {
    nickname: {},
    health: { state: true },
    shutSeconds: { state: true },
    problem: { state: true },
  };

  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  /** @type {import("lit/directives/ref.js").Ref<HTMLDialogElement>} */
  #sure = createRef();
  /** How many encoders were cut from here. */
  #cuts = 0;
  #busy = false;

  constructor() {
    super();
    this.nickname = "";
    /** @type {import("../core/stream_health.js").Health | null} */
    this.health = null;
    /** An encoder was cut, and for so long nobody may publish; null again with the next one. @type {number | null} */
    this.shutSeconds = null;
    /** @type {unknown} */
    this.problem = null;
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
    const before = this.#cuts;
    try {
      const health = await streamHealth(this.nickname);
      if (before !== this.#cuts) return; // Asked of an encoder that has been cut since.
      this.health = health;
      if (health.state === "live") this.shutSeconds = null;
    } catch {
      this.health = null; // The desk says what is wrong; old numbers would say that all is well.
    } finally {
      this.tell("looked");
    }
  };

  render() {
    // Outside the card: a question must not vanish when the answer that the card draws does.
    return html`${this.#look()} ${this.#question()}`;
  }

  #look() {
    if (this.health === null) return nothing;
    const graphs = html`<stream-graphs .nickname=${this.nickname}></stream-graphs>`;
    if (this.health.state !== "live") {
      const waits = this.health.state === "interrupted";
      if (!waits && this.shutSeconds === null) return nothing;
      return this.#card(html`${this.#whyNobody()} ${waits ? graphs : nothing}`);
    }
    const name = encoderName(this.health.encoder) ?? t("health.encoder");
    return this.#card(html`
      <div class="row">
        <p class="connected">${t("health.connected", { encoder: name })}</p>
        <button class="quiet small" type="button" @click=${this.#askFirst}>${t("health.cut")}</button>
      </div>
      ${this.#facts(this.health)} ${graphs} ${this.#verdicts(this.health.verdicts)}
    `);
  }

  #whyNobody() {
    if (this.shutSeconds === null) return html`<p class="problem">${t("health.interrupted")}</p>`;
    return html`<p class="cut" tabindex="-1">${t("health.was_cut", { count: this.shutSeconds })}</p>`;
  }

  #question() {
    return html`<dialog ${ref(this.#sure)} aria-labelledby="cut-title">
      <h2 id="cut-title">${t("health.cut_title")}</h2>
      <p>${t("health.cut_words")}</p>
      <p class="note">${t("health.cut_not_you")}</p>
      ${refusal(this.problem)}
      <div class="row">
        <button class="quiet" type="button" autofocus @click=${() => this.#sure.value?.close()}>${t("cancel")}</button>
        <button class="quiet" type="button" @click=${this.#rotate}>${t("studio.rotate")}</button>
        <button type="button" @click=${this.#cut}>${t("health.cut")}</button>
      </div>
    </dialog>`;
  }

  #askFirst = () => {
    this.problem = null;
    this.#sure.value?.showModal();
  };

  #cut = () =>
    this.#end(async () => {
      this.shutSeconds = (await cutEncoder(this.nickname)).seconds;
      this.#cuts += 1;
      this.#sure.value?.close();
      await this.#ask();
      await this.updateComplete;
      // The button that was pressed has gone with the encoder.
      /** @type {HTMLElement | null} */ (this.querySelector(".cut"))?.focus();
    });

  /** Whoever sends with the old key is cut off by that too, and does not come back. */
  #rotate = () =>
    this.#end(async () => {
      const made = await rotateStreamKey(this.nickname);
      this.#sure.value?.close();
      this.tell("rotated", made);
    });

  /** @param {() => Promise<void>} act */
  async #end(act) {
    if (this.#busy) return; // Not a disabled button: it would lose the focus, and the keyboard its place.
    this.#busy = true;
    this.problem = null;
    try {
      await act();
    } catch (error) {
      this.problem = error;
    }
    this.#busy = false;
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
