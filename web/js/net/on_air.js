/**
 * Shell: who is on air, asked once for all that show it on this page.
 * @module
 */

import { liveChannels } from "./api.js";

/** @typedef {import("./api.js").Channel} Channel */

/** Events: `change`, at each answer and each refusal. */
class OnAir extends EventTarget {
  /** The last answer; null until there is one. @type {readonly Channel[] | null} */
  channels = null;
  /** Why there is no newer one. @type {unknown} */
  problem = null;
  #askedMs = Number.NEGATIVE_INFINITY;

  /** Nobody looks at a hidden page. @param {number} [ageMsMax] an answer as young as this is new enough */
  async ask(ageMsMax = 0) {
    if (document.visibilityState === "hidden" || performance.now() - this.#askedMs < ageMsMax) return;
    this.#askedMs = performance.now();
    try {
      this.channels = await liveChannels();
      this.problem = null;
    } catch (error) {
      this.problem = error;
    }
    this.dispatchEvent(new Event("change"));
  }
}

export const onAir = new OnAir();
