/**
 * Door: donations over a broadcast, one at a time.
 *
 * Kept across reconnections and reloads, by where the room was and what was shown: OBS may close its browser between
 * scenes.
 * Or it keeps it and hides it (as `document.hidden` tells): then what is given waits for the scene to come back.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { emptyQueue, heard, held, resumeAt, shownIds, ticked, waitMs } from "../core/alert_queue.js";
import { keep, kept } from "../net/storage.js";
import { format, t } from "../net/words.js";
import * as icons from "./icons.js";
import { LightElement } from "./light_element.js";

/** A scene that was away for longer begins anew: nobody wants a row of old thanks. */
const KEPT_MS = 10 * 60_000;
/** How many events the house may send ahead; given again in halves. */
const CREDIT = 64;
/** Between the last word and the next gift. */
const AFTER_SPEECH_MS = 800;

export class OverlayAlerts extends LightElement {
  static properties = { shown: { state: true } };

  /** Where the words of a gift are read aloud, by its number; null: they are not. @type {((seq: number) => string) | null} */
  speech = null;

  #queue = emptyQueue(null);
  #voice = new Audio();
  #spoken = "";
  #key = "";
  #owed = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  constructor() {
    super();
    /** @type {import("../core/alert_queue.js").Alert | null} */
    this.shown = null;
  }

  /** @param {import("../net/wire.js").Wire} wire @param {string} channel */
  watch(wire, channel) {
    this.#key = `commeow.alerts.${channel}`;
    this.#queue = asItWas(this.#key);
    const stream = wire.stream("chat.watch", {
      body: () => {
        const { seq, epoch } = this.#queue;
        return seq === null ? { channel, epoch, history: 0 } : { channel, epoch, since: seq };
      },
      onEvent: (event) => {
        this.#become(heard(this.#queue, event));
        this.#owed += 1;
        if (this.#owed >= CREDIT / 2) {
          stream.request(this.#owed);
          this.#owed = 0;
        }
        if (event.kind === "drain") wire.renew(Number(event.retry_after_ms) || 0);
      },
      onRefused: () => {},
    });
    stream.request(CREDIT);
    document.addEventListener("visibilitychange", this.#look);
  }

  disconnectedCallback() {
    document.removeEventListener("visibilitychange", this.#look);
    clearTimeout(this.#timer);
    this.#voice.pause();
    super.disconnectedCallback();
  }

  render() {
    if (this.shown === null) return nothing;
    const { nickname, points, text } = this.shown;
    return html`<div class="alert" role="status">
      <span class="face" aria-hidden="true">${icons.cat(nickname)}</span>
      <div>
        <p class="who"><bdi>${nickname === "" ? t("chat.anonymous") : nickname}</bdi> <strong>${t("chat.points", { count: points })}</strong></p>
        ${text === "" ? nothing : html`<bdi class="text">${text}</bdi>`}
      </div>
    </div>`;
  }

  /** Once for each that is shown; words that are taken back are cut off. */
  #speak() {
    if (this.shown === null || this.shown.text === "") this.#voice.pause();
    else if (this.speech !== null && this.shown.id !== this.#spoken && this.shown.seq > 0) {
      const { id, seq } = this.shown;
      this.#spoken = id;
      this.#voice.src = this.speech(seq);
      this.#voice.onloadedmetadata = () => this.#become(held(this.#queue, id, Date.now() + AFTER_SPEECH_MS + 1_000 * this.#voice.duration));
      // A house without a voice, or one that is too busy: the words are on the screen.
      this.#voice.play().catch(() => {});
    }
  }

  #look = () => this.#become(this.#queue);

  /** @param {import("../core/alert_queue.js").Queue} queue */
  #become(queue) {
    const now = Date.now();
    const seen = !document.hidden;
    const next = ticked(queue, now, seen);
    const seq = resumeAt(next);
    if (seq !== resumeAt(this.#queue) || next.waiting.length < this.#queue.waiting.length) {
      keep(this.#key, JSON.stringify({ seq, epoch: next.epoch, ids: shownIds(next), at: now }));
    }
    this.#queue = next;
    this.shown = next.shown;
    this.#speak();
    clearTimeout(this.#timer);
    const wait = waitMs(next, now, seen);
    if (wait !== null) this.#timer = setTimeout(this.#look, wait);
  }
}

/** @param {string} key @returns {import("../core/alert_queue.js").Queue} an empty one: begin with what comes from now on */
function asItWas(key) {
  try {
    const { seq, ids, at, epoch } = JSON.parse(kept(key) ?? "{}");
    const old = Date.now() - at >= KEPT_MS;
    if (Number.isSafeInteger(seq) && Array.isArray(ids) && !old) return emptyQueue(seq, ids.map(String), String(epoch ?? ""));
  } catch {
    // Another version's, or nobody's.
  }
  return emptyQueue(null);
}

customElements.define("overlay-alerts", OverlayAlerts);
