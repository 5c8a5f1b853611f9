/**
 * Door: a goal over a broadcast: asked for anew when something was given.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { goal } from "../net/support_api.js";
import "./goal_bar.js";
import { LightElement } from "./light_element.js";

/** Gifts that come together are one question. */
const AFTER_GIFT_MS = 300;
/** The streamer may set another goal, or a donation may go back: nobody tells. */
const ASK_EVERY_MS = 30_000;
const CREDIT = 64;

export class OverlayGoal extends LightElement {
  static properties = { goal: { state: true } };

  #channel = "";
  #owed = 0;
  /** @type {number | null} */
  #seq = null;
  #epoch = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  constructor() {
    super();
    /** @type {import("../core/goal.js").Goal | null} */
    this.goal = null;
  }

  /** @param {import("../net/wire.js").Wire} wire @param {string} channel */
  watch(wire, channel) {
    this.#channel = channel;
    const stream = wire.stream("chat.watch", {
      body: () => {
        const epoch = this.#epoch;
        return this.#seq === null ? { channel, epoch, history: 0 } : { channel, epoch, since: this.#seq };
      },
      onEvent: (event) => {
        if (typeof event.seq === "number") this.#seq = event.seq;
        if (event.kind === "epoch") this.#count(String(event.epoch));
        if (event.kind === "donated") this.#soon(AFTER_GIFT_MS);
        if (event.kind === "drain") wire.renew(Number(event.retry_after_ms) || 0);
        this.#owed += 1;
        if (this.#owed >= CREDIT / 2) {
          stream.request(this.#owed);
          this.#owed = 0;
        }
      },
      onRefused: () => {},
    });
    stream.request(CREDIT);
    this.#soon(0);
  }

  disconnectedCallback() {
    clearTimeout(this.#timer);
    super.disconnectedCallback();
  }

  /** Of another epoch no number has been seen. @param {string} epoch */
  #count(epoch) {
    if (this.#epoch !== "" && this.#epoch !== epoch) this.#seq = 0;
    this.#epoch = epoch;
  }

  /** @param {number} waitMs */
  #soon(waitMs) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#ask, waitMs);
  }

  #ask = async () => {
    try {
      this.goal = (await goal(this.#channel)).goal;
    } catch {
      // What was known stays on the picture, and is asked for again.
    }
    if (this.isConnected) this.#soon(ASK_EVERY_MS);
  };

  render() {
    return this.goal === null ? nothing : html`<div class="goal"><goal-bar .goal=${this.goal}></goal-bar></div>`;
  }
}

customElements.define("overlay-goal", OverlayGoal);
