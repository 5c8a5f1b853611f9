/**
 * Door: under the picture: what the channel gathers for, and who gave most to this broadcast. Nothing where there is neither.
 *
 * Loaded after the picture and the room: nobody came for this first.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { given, SHOWN_MAX } from "../core/support.js";
import { goal, supporters } from "../net/support_api.js";
import { format, t } from "../net/words.js";
import "./goal_bar.js";
import { LightElement } from "./light_element.js";

export class ChannelSupport extends LightElement {
  static properties = { support: { state: true } };

  constructor() {
    super();
    /** @type {import("../core/support.js").Support | null} */
    this.support = null;
  }

  /** @param {string} nickname */
  async show(nickname) {
    try {
      const [far, most] = await Promise.all([goal(nickname), supporters(nickname, "broadcast")]);
      this.support = { goal: far.goal, supporters: most.supporters, known: [] };
    } catch {
      // A page without it is a whole page.
    }
  }

  /** The room told of a gift. @param {Record<string, unknown>} event */
  given(event) {
    if (this.support !== null) this.support = given(this.support, event);
  }

  render() {
    const { goal: far = null, supporters: most = [] } = this.support ?? {};
    if (far === null && most.length === 0) return nothing;
    return html`
      ${far === null ? nothing : html`<goal-bar .goal=${far}></goal-bar>`}
      ${most.length === 0
        ? nothing
        : html`<section aria-label=${t("support.title")}>
            <h2>${t("support.title")}</h2>
            <ol>${most.slice(0, SHOWN_MAX).map(({ nickname, points }) => html`<li><bdi>${nickname}</bdi> <span>${format.compact(points)}</span></li>`)}</ol>
          </section>`}
    `;
  }
}

customElements.define("channel-support", ChannelSupport);
