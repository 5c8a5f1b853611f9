/**
 * Door: what the streamer gathers for: set, shown how far, ended.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { clearGoal, setGoal } from "../net/studio_api.js";
import { goal } from "../net/support_api.js";
import { errorText, t } from "../net/words.js";
import "./goal_bar.js";
import { LightElement } from "./light_element.js";

const TITLE_CHARACTERS_MAX = 200;
const POINTS_MAX = 1_000_000_000;

export class GoalForm extends LightElement {
  static properties = {
    nickname: {},
    goal: { state: true },
    asked: { state: true },
    problem: { state: true },
    busy: { state: true },
  };

  constructor() {
    super();
    this.nickname = "";
    /** @type {import("../core/goal.js").Goal | null} */
    this.goal = null;
    /** Whether the house has said if there is one. */
    this.asked = false;
    /** @type {unknown} */
    this.problem = null;
    this.busy = false;
  }

  connectedCallback() {
    super.connectedCallback();
    void this.refresh();
  }

  /** Something was given, or went back. */
  async refresh() {
    await this.#do(async () => (await goal(this.nickname)).goal);
    this.asked = true;
  }

  render() {
    if (!this.asked && this.problem === null) return nothing;
    return html`<section class="card goal">
      <h2>${t("goal.title")}</h2>
      ${this.goal === null ? html`<p class="note">${t("goal.words")}</p>` : html`<goal-bar .goal=${this.goal}></goal-bar>`}
      ${this.problem === null ? nothing : html`<p class="problem" role="alert">${errorText(this.problem)}</p>`}
      ${this.goal === null
        ? this.#form()
        : html`<div class="row"><button class="quiet" type="button" ?disabled=${this.busy} @click=${this.#end}>${t("goal.end")}</button></div>`}
    </section>`;
  }

  #form() {
    return html`<form @submit=${this.#onSubmit}>
      <label>${t("goal.what")}
        <input name="title" type="text" maxlength=${TITLE_CHARACTERS_MAX} autocomplete="off" placeholder=${t("goal.hint")}>
      </label>
      <label>${t("goal.points")}
        <input name="points" type="number" inputmode="numeric" min="1" max=${POINTS_MAX} step="1" required>
      </label>
      <div class="row"><button type="submit" ?disabled=${this.busy}>${t("goal.begin")}</button></div>
    </form>`;
  }

  /** @param {SubmitEvent} event */
  #onSubmit = async (event) => {
    event.preventDefault();
    if (!(event.currentTarget instanceof HTMLFormElement)) return;
    const written = new FormData(event.currentTarget);
    const title = String(written.get("title") ?? "").trim();
    await this.#do(async () => (await setGoal(this.nickname, title, Number(written.get("points")))).goal);
  };

  #end = () =>
    this.#do(async () => {
      await clearGoal(this.nickname);
      return null;
    });

  /** @param {() => Promise<import("../core/goal.js").Goal | null>} act */
  async #do(act) {
    this.busy = true;
    this.problem = null;
    try {
      this.goal = await act();
    } catch (error) {
      this.problem = error;
    }
    this.busy = false;
  }
}

customElements.define("goal-form", GoalForm);
