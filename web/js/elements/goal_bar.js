/**
 * Door: what a channel gathers for, and how far it is.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { percent } from "../core/goal.js";
import { format, t } from "../net/words.js";
import { LightElement } from "./light_element.js";

export class GoalBar extends LightElement {
  static properties = { goal: { attribute: false } };

  constructor() {
    super();
    /** @type {import("../core/goal.js").Goal | null} */
    this.goal = null;
  }

  render() {
    const { goal } = this;
    if (goal === null) return nothing;
    const done = percent(goal);
    return html`<p class="what"><bdi>${goal.title === "" ? t("goal.goal") : goal.title}</bdi><span>${format.count(goal.received)} / ${format.count(goal.points)}</span></p>
      <progress max="100" value=${done} aria-label=${t("goal.percent", { percent: done })}></progress>`;
  }
}

customElements.define("goal-bar", GoalBar);
