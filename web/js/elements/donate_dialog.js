/**
 * Door: giving points to the one on air: an amount, a few words, and the ledger's answer.
 *
 * It says "given" when the ledger has answered and not before. An answer that does not come is asked for again with
 * the same id, which the ledger counts once; the tab keeps it until then, also over a reload.
 * Who has too few points is shown the way to more of them, and is asked for them anew when they come back to the page, or
 * press again: that press only asks, for what stands in the form may be another gift once the answer is there.
 * Events: `given` with the points left.
 * @module
 */

import { createRef, html, live, nothing, ref } from "/js/vendor/lit.js";
import { waitMs } from "../core/backoff.js";
import {
  AMOUNTS_POINTS,
  edited,
  failed,
  fault,
  given,
  newDonation,
  pending,
  POINTS_MAX,
  POINTS_MIN,
  restored,
  sent,
  TEXT_CHARACTERS_MAX,
  wanting,
  written,
  writtenBefore,
} from "../core/donation.js";
import { asProblem, Problem } from "../core/problem.js";
import { identity } from "../net/identity.js";
import { newId } from "../net/ids.js";
import { keepDonation, keptDonation } from "../net/kept_donation.js";
import { keepDraft, keptDraft } from "../net/kept_draft.js";
import { points } from "../net/points_api.js";
import { format, t } from "../net/words.js";
import * as actIcons from "./act_icons.js";
import { LightElement } from "./light_element.js";
import { refusal } from "./typed_form.js";

/** The one refusal that somebody can do something about. */
const TOO_FEW = "points.insufficient";
/** Logged in beside this page: it is neither their gift nor are these their words. */
const ANOTHER = "auth.other_member";
/** Asked again by itself this often before the giver is asked to. */
const TRIES_MAX = 3;

export class DonateDialog extends LightElement {
  static properties = { channel: {}, donation: { state: true }, balance: { state: true }, asking: { state: true } };

  /** @type {import("lit/directives/ref.js").Ref<HTMLDialogElement>} */
  #dialog = createRef();
  /** Whose donation is shown. @type {string | null} */
  #donor = null;

  constructor() {
    super();
    this.channel = "";
    /** @type {import("../net/wire.js").Wire | null} */
    this.wire = null;
    this.donation = newDonation();
    /** @type {number | null} */
    this.balance = null;
    /** A press has found too few points, and asks whether there are more by now. */
    this.asking = false;
  }

  /** A donation whose outcome is unknown is still here when the dialog opens again, also after a reload. */
  async open() {
    if (this.#donor !== identity.nickname) {
      this.#donor = identity.nickname;
      this.donation = restored(keptDonation(this.#donor, this.channel));
    }
    if (this.donation.stage === "given") this.donation = newDonation();
    if (this.donation.stage === "editing" && written(this.donation) === "") this.#edit(writtenBefore(keptDraft(this.#place)));
    this.#dialog.value?.showModal();
    await this.#askBalance();
  }

  connectedCallback() {
    super.connectedCallback();
    document.addEventListener("visibilitychange", this.#onSeen);
    addEventListener("focus", this.#onSeen); // Two windows beside each other are both visible.
  }

  disconnectedCallback() {
    document.removeEventListener("visibilitychange", this.#onSeen);
    removeEventListener("focus", this.#onSeen);
    super.disconnectedCallback();
  }

  /** Back from the wallet, which is a page of its own. */
  #onSeen = () => {
    if (document.visibilityState === "visible" && this.#dialog.value?.open === true) void this.#askBalance();
  };

  async #askBalance() {
    try {
      this.balance = (await points()).balance;
    } catch {
      this.balance = null; // The ledger will say it.
    }
    if (this.donation.problem?.code === TOO_FEW) this.donation = edited(this.donation, {});
  }

  render() {
    return html`
      <dialog ${ref(this.#dialog)} aria-labelledby="donate-title" @click=${this.#onBackdrop}>
        <header>
          <h2 id="donate-title">${t("donate.title", { nickname: this.channel })}</h2>
          <button class="icon-button" type="button" aria-label=${t("close")} title=${t("close")} @click=${this.#close}>${actIcons.close}</button>
        </header>
        ${this.donation.stage === "given" ? this.#thanks() : this.#form()}
      </dialog>
    `;
  }

  #form() {
    const { stage, points: amount, text, anonymous } = this.donation;
    const locked = stage !== "editing";
    const left = TEXT_CHARACTERS_MAX - [...text].length;
    const few = wanting(this.donation, this.balance);
    const poor = few > 0 || this.donation.problem?.code === TOO_FEW;
    return html`<form novalidate @submit=${this.#onSubmit}>
      <p class="balance"><span>${this.balance === null ? nothing : t("donate.balance", { count: this.balance })}</span>
        ${poor ? nothing : html`<a href="/wallet" target="_blank" rel="noopener">${t("donate.top_up")}</a>`}</p>
      <fieldset aria-disabled=${locked}>
        <legend class="visually-hidden">${t("donate.amount")}</legend>
        <div class="amounts">
          ${AMOUNTS_POINTS.map(
            (offer) => html`<button class="chip" type="button" aria-pressed=${amount === offer}
              @click=${() => this.#edit({ points: offer })}>${format.count(offer)}</button>`,
          )}
        </div>
        <label>${t("donate.amount")}
          <input type="number" inputmode="numeric" min=${POINTS_MIN} max=${POINTS_MAX} step="1" required ?readonly=${locked}
            aria-describedby="donate-few"
            .value=${live(Number.isNaN(amount) ? "" : String(amount))} @input=${this.#onAmount}>
        </label>
        <label>${t("donate.text")}
          <textarea rows="2" ?readonly=${locked} .value=${live(text)} @input=${this.#onText} aria-describedby="donate-left"></textarea>
        </label>
        <span id="donate-left" class="left">${t("chat.left", { count: left })}</span>
        <label class="check"><input type="checkbox" .checked=${live(anonymous)} @change=${this.#onAnonymous}>${t("donate.anonymous")}</label>
      </fieldset>
      ${this.#outcome(few)}
      ${poor ? html`<a class="button main" href="/wallet" target="_blank" rel="noopener">${t("donate.top_up")}</a>` : nothing}
      <button class=${poor ? "main quiet" : "main"} type="submit" aria-disabled=${stage === "sending" || this.asking}>
        ${stage === "sending" || this.asking ? html`<span class="spinner"></span>` : actIcons.paw}
        ${t(`donate.${stage}`, { count: Number.isNaN(amount) ? 0 : amount })}
      </button>
      <p class="note">${t("donate.note")}</p>
    </form>`;
  }

  /** @param {number} few how many points are wanting */
  #outcome(few) {
    const { stage, problem } = this.donation;
    if (stage === "unknown") return refusal(problem ?? new Problem("wire.lost"), problem?.code === ANOTHER ? undefined : t("donate.unknown_words"));
    const words = few > 0 ? t("donate.few", { count: few }) : undefined;
    if (problem === null) return html`<p id="donate-few" class="few" ?hidden=${few === 0}>${words ?? nothing}</p>`;
    // The words wait in the tab; the way back leads here.
    return refusal(problem, problem.code === TOO_FEW ? words : undefined);
  }

  #thanks() {
    const { points: amount, pointsLeft } = this.donation;
    return html`<div class="thanks" role="status">
      <span class="big">${actIcons.paw}</span>
      <p class="what">${t("donate.given", { count: amount, nickname: this.channel })}</p>
      <p>${t("donate.points_left", { count: pointsLeft ?? 0 })}</p>
      <button type="button" autofocus @click=${this.#close}>${t("close")}</button>
    </div>`;
  }

  /** @param {{ points?: number, text?: string, anonymous?: boolean }} change */
  #edit(change) {
    this.donation = edited(this.donation, change);
    keepDraft(this.#place, written(this.donation));
  }

  /** Where it waits while somebody logs in again. */
  get #place() {
    return `gift.${this.#donor ?? ""}.${this.channel}`;
  }

  /** @param {InputEvent} event */
  #onAmount = (event) => {
    if (event.target instanceof HTMLInputElement) this.#edit({ points: event.target.valueAsNumber });
  };

  /** @param {InputEvent} event */
  #onText = (event) => {
    if (event.target instanceof HTMLTextAreaElement) this.#edit({ text: event.target.value });
  };

  /** @param {Event} event */
  #onAnonymous = (event) => {
    if (event.target instanceof HTMLInputElement) this.#edit({ anonymous: event.target.checked });
  };

  /** @param {SubmitEvent} event */
  #onSubmit = async (event) => {
    event.preventDefault();
    const another = identity.nickname !== null && identity.nickname !== this.#donor ? ANOTHER : null;
    const wrong = another ?? this.#fault();
    if (wrong === TOO_FEW) return this.#askAgain();
    if (wrong !== null) {
      this.donation = failed(this.donation, new Problem(wrong));
      return;
    }
    if (this.donation.stage === "sending") return;
    this.#become(sent(this.donation, newId()));
    await this.#give();
  };

  /** There may be more points than when this page asked. Nothing is given for that: only a press gives, and what it was pressed for. */
  async #askAgain() {
    this.asking = true;
    await this.#askBalance();
    this.asking = false;
    if (this.#fault() === TOO_FEW) this.donation = failed(this.donation, new Problem(TOO_FEW));
  }

  #fault() {
    return this.donation.stage === "editing" ? fault(this.donation, this.balance) : null;
  }

  /** @param {import("../core/donation.js").Donation} next */
  #become(next) {
    keepDonation(this.#donor, this.channel, pending(next)); // Before it is sent: a page may end at any moment.
    this.donation = next;
  }

  async #give() {
    const { id, points: amount, text, anonymous } = this.donation;
    const donor = this.#donor;
    for (let attempt = 0; ; attempt += 1) {
      /** @type {Problem | null} */
      let problem = null;
      let left = 0;
      try {
        left = (await this.#ask({ id, channel: this.channel, points: amount, text, anonymous }, donor)).points_left;
      } catch (error) {
        problem = asProblem(error);
      }
      // Another member by now: what was sent stays in the tab, for the one who sent it.
      if (donor !== this.#donor) return;
      if (problem === null) {
        this.#become(given(this.donation, left));
        keepDraft(this.#place, "");
        this.balance = left;
        this.tell("given", left);
        return;
      }
      this.#become(failed(this.donation, problem));
      if (this.donation.stage !== "unknown" || attempt + 1 >= TRIES_MAX || donor !== identity.nickname) return;
      this.#become(sent(this.donation, newId()));
      await new Promise((resolve) => setTimeout(resolve, waitMs(attempt, Math.random())));
    }
  }

  /** @param {object} body @param {string | null} donor @returns {Promise<{ points_left: number }>} */
  async #ask(body, donor) {
    if (this.wire === null) throw new Problem("wire.unreachable");
    return this.wire.call("donation.give", body, donor);
  }

  /** @param {MouseEvent} event */
  #onBackdrop = (event) => {
    if (event.target === this.#dialog.value) this.#close();
  };

  #close = () => this.#dialog.value?.close();
}

customElements.define("donate-dialog", DonateDialog);
