/**
 * Door: what a streamer sets before or between: the channel's words, emotes, goal, overlays.
 *
 * Events: `saved` with the channel as the house keeps it now.
 * @module
 */

import { html } from "/js/vendor/lit.js";
import { t } from "../net/words.js";
import "./channel_form.js";
import "./emote_desk.js";
import "./goal_form.js";
import { LightElement } from "./light_element.js";
import "./overlay_links.js";

export class StudioSettings extends LightElement {
  static properties = { nickname: {}, channel: { attribute: false } };

  constructor() {
    super();
    this.nickname = "";
    /** Null until it is known. @type {import("../net/api.js").Channel | null} */
    this.channel = null;
  }

  render() {
    return html`<section class="card">
        <h2>${t("studio.title")}</h2>
        <channel-form .channel=${this.channel} @saved=${this.#onSaved}></channel-form>
      </section>
      <emote-desk .nickname=${this.nickname}></emote-desk> <goal-form .nickname=${this.nickname}></goal-form> <overlay-links></overlay-links>`;
  }

  /** @param {CustomEvent<import("../net/api.js").Channel>} event */
  #onSaved = ({ detail }) => {
    this.channel = detail;
  };
}

customElements.define("studio-settings", StudioSettings);
