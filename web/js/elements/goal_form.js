/**
 * Door: what the streamer gathers for: set, shown how far, ended.
 * @module
 */

import { html, nothing } from "/js/vendor/lit.js";
import { plain } from "../core/plain_text.js";
import { asProblem, Problem } from "../core/problem.js";
import { clearGoal, setGoal } from "../net/studio_api.js";
import { goal } from "../net/support_api.js";
import { t } from "../net/words.js";
import "./goal_bar.js";
import { LightElement } from "./light_element.js";
import { fillTyped, keepTyped, refusal } from "./typed_form.js";

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

  /** That has been given what waited for it. @type {HTMLFormElement | null} */
  #filled = null;

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
      ${refusal(this.problem, this.#words())}
      ${this.goal === null
        ? this.#form()
        : html`<div class="row"><button class="quiet" type="button" aria-disabled=${this.busy} @click=${this.#end}>${t("goal.end")}</button></div>`}
    </section>`;
  }

  /** What was refused because a login had ended waits in the tab for the next. */
  updated() {
    const form = this.querySelector("form");
    if (form !== null && form !== this.#filled) fillTyped(form, this.#place);
    this.#filled = form;
  }

  get #place() {
    return `goal.${this.nickname}`;
  }

  #words() {
    const { code, field } = asProblem(this.problem);
    if (code === "transfer.text_too_long") return t("goal.title_too_long", { count: TITLE_CHARACTERS_MAX });
    return code === "wire.shape" && field === "points" ? t("goal.points_range", { count: POINTS_MAX }) : undefined;
  }

  #form() {
    return html`<form novalidate @submit=${this.#onSubmit}>
      <label>${t("goal.what")}
        <input name="title" type="text" autocomplete="off" placeholder=${t("goal.hint")}>
      </label>
      <label>${t("goal.points")}
        <input name="points" type="number" inputmode="numeric" min="1" max=${POINTS_MAX} step="1" required>
      </label>
      <div class="row"><button type="submit" aria-disabled=${this.busy}>${t("goal.begin")}</button></div>
    </form>`;
  }

  /** @param {SubmitEvent} event */
  #onSubmit = async (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    if (!(form instanceof HTMLFormElement) || this.busy) return;
    const written = new FormData(form);
    const title = plain(String(written.get("title") ?? ""));
    const points = Number(written.get("points"));
    await this.#do(async () => {
      if (!Number.isInteger(points) || points < 1 || points > POINTS_MAX) throw new Problem("wire.shape", { field: "points" });
      return (await setGoal(this.nickname, title, points)).goal;
    });
    keepTyped(form, this.#place, this.problem);
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
