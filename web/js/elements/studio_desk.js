/**
 * Door: what a streamer looks at while on air: whether one is, the picture and how it does, what is given; and what the
 * encoder needs to begin.
 *
 * Events: `channel` with what the house says of it, each time it is asked.
 * @module
 */

import { createRef, html, nothing, ref } from "/js/vendor/lit.js";
import { asked, NOTHING_KNOWN } from "../core/broadcast_state.js";
import { duration } from "../core/format.js";
import { channel } from "../net/api.js";
import { pastBroadcasts, rotateStreamKey } from "../net/studio_api.js";
import { errorText, format, t } from "../net/words.js";
import "./copy_field.js";
import { LightElement } from "./light_element.js";
import "./past_broadcasts.js";
import "./received_donations.js";
import "./stream_health.js";
import { refusal } from "./typed_form.js";

/** The streamer has just pressed a button in OBS and waits for the word. */
const ASK_EVERY_MS = 3_000;
/** What a broadcast came to can wait, where the house has failed to say it. */
const SUM_UP_AGAIN_MS = 30_000;

export class StudioDesk extends LightElement {
  static properties = {
    server: {},
    nickname: {},
    channel: { state: true },
    problem: { state: true },
    key: { state: true },
    keyProblem: { state: true },
    looked: { state: true },
    past: { state: true },
  };

  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  /** @type {import("lit/directives/ref.js").Ref<HTMLDialogElement>} */
  #sure = createRef();

  #broadcast = NOTHING_KNOWN;
  /** One at a time: an older answer would be told after a newer one. */
  #asking = false;
  /** When the last of `past` ended. @type {string | null} */
  #pastUntil = null;
  /** Before that nobody asks again what the broadcasts came to. */
  #sumUpFrom = 0;
  /** The rest of the desk has been drawn. */
  #begun = false;

  #rotating = false;

  constructor() {
    super();
    this.server = "";
    this.nickname = "";
    /** @type {import("../net/api.js").Channel | null} */
    this.channel = null;
    /** @type {unknown} */
    this.problem = null;
    /** A key that was just made. @type {string | null} */
    this.key = null;
    /** @type {unknown} */
    this.keyProblem = null;
    /** How the broadcast does has been asked. */
    this.looked = false;
    /** What the broadcasts that are over have come to; null: not asked, or nobody could say. @type {import("../net/studio_api.js").PastBroadcast[] | null} */
    this.past = null;
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
    if (this.#asking || document.visibilityState === "hidden") return;
    this.#asking = true;
    try {
      const now = await channel(this.nickname);
      await this.#sumUp(now);
      this.channel = now;
      this.#broadcast = asked(this.#broadcast, this.channel);
      this.problem = null;
      this.tell("channel", this.channel);
    } catch (error) {
      this.problem = error;
    }
    this.#asking = false;
  };

  /** Before it is told that nothing is on: what has come of it stands there with that. @param {import("../net/api.js").Channel} now */
  async #sumUp({ on_air, last_live_at }) {
    if (on_air) {
      this.past = null; // This one will be in it.
      this.#sumUpFrom = 0;
      return;
    }
    // One may have begun and ended while the page was hidden.
    const stands = this.past !== null && this.#pastUntil === last_live_at;
    if (stands || performance.now() < this.#sumUpFrom) return;
    this.past = await pastBroadcasts(this.nickname).then(({ broadcasts }) => broadcasts, () => null);
    this.#pastUntil = last_live_at;
    if (this.past === null) this.#sumUpFrom = performance.now() + SUM_UP_AGAIN_MS;
  }

  render() {
    return html`${this.#state()} ${this.#preview()} ${this.#health()} ${this.#over(true)} ${this.#rest()}`;
  }

  /** Once there was one, above all else: whoever has stopped looks for it. Before that it is only announced. @param {boolean} first */
  #over(first) {
    if (this.channel?.on_air !== false || this.past === null || this.past.length > 0 !== first) return nothing;
    return html`<past-broadcasts .broadcasts=${this.past}></past-broadcasts>`;
  }

  /** As the rest of the desk, not before what stands above it: it would be pushed down before one's eyes. */
  #health() {
    if (this.channel === null) return nothing;
    return html`<stream-health .nickname=${this.nickname} @rotated=${this.#onRotated} @looked=${() => (this.looked = true)}></stream-health>`;
  }

  /** Once there it stays, whatever is answered next: somebody may be in it. */
  #rest() {
    this.#begun ||= this.channel === null ? this.problem !== null : !this.channel.on_air || this.looked;
    return !this.#begun ? nothing : html`${this.#encoder()} <received-donations .nickname=${this.nickname}></received-donations> ${this.#over(false)}`;
  }

  #state() {
    const watch = `/c/${encodeURIComponent(this.nickname)}`;
    if (this.channel === null) {
      return html`<section class="card now" aria-busy="true"><p>${this.problem === null ? t("studio.asking") : errorText(this.problem)}</p></section>`;
    }
    const { on_air, viewers, started_at, followers } = this.channel;
    // Only the change is said aloud: the figures below it move all the time.
    return html`<section class="card now" ?data-live=${on_air}>
      <span class="lamp" aria-hidden="true"></span>
      <div>
        <h2 role="status">${on_air ? t("studio.on_air") : t("studio.off_air")}</h2>
        <p>${on_air
          ? html`${t("live.viewers", { count: viewers })}${started_at === null ? nothing : html` <span class="since">${duration(Date.now() - Date.parse(started_at))}</span>`}`
          : t("studio.off_air_words")}</p>
      </div>
      <p class="followers">${t("follow.followers", { count: followers, number: format.count(followers) })}</p>
      <a class="button quiet" href=${watch}>${t("studio.watch")}</a>
    </section>`;
  }

  /** What viewers see, without sound: the streamer's own microphone would hear it. The player comes with the first broadcast. */
  #preview() {
    if (this.channel?.on_air !== true) return nothing;
    void import("./live_player.js");
    return html`<live-player class="preview" .nickname=${this.nickname} .broadcast=${this.#broadcast}></live-player>`;
  }

  #encoder() {
    // Once on air it is read no more, and what is read stands higher.
    return html`<details class="card encoder" ?open=${this.channel?.on_air !== true}>
      <summary><h2>${t("studio.encoder")}</h2></summary>
      <ol class="steps">
        <li>${t("studio.step_open")}</li>
        <li>${t("studio.step_service")}</li>
        <li>${t("studio.step_server")}<copy-field .label=${t("studio.server")} .value=${this.server}></copy-field></li>
        <li>${t("studio.step_key")}${this.#streamKey()}</li>
        <li>${t("studio.step_keyframes")}</li>
        <li>${t("studio.step_start")}</li>
      </ol>
    </details>`;
  }

  #streamKey() {
    return html`
      ${this.key === null ? nothing : html`<copy-field .label=${t("studio.key")} .value=${this.key} secret></copy-field>
        <p class="note">${t("studio.key_once")}</p>`}
      ${refusal(this.keyProblem)}
      <p><button class="quiet" type="button" @click=${() => this.#sure.value?.showModal()}>${t("studio.rotate")}</button></p>
      <dialog ${ref(this.#sure)} aria-labelledby="rotate-title">
        <h2 id="rotate-title">${t("studio.rotate_title")}</h2>
        <p>${t("studio.rotate_words")}</p>
        <div class="row">
          <button class="quiet" type="button" autofocus @click=${() => this.#sure.value?.close()}>${t("cancel")}</button>
          <button type="button" @click=${this.#rotate}>${t("studio.rotate")}</button>
        </div>
      </dialog>
    `;
  }

  #rotate = async () => {
    if (this.#rotating) return; // Of two keys the one that is shown might be the one that is over.
    this.#rotating = true;
    this.#sure.value?.close();
    this.keyProblem = null;
    try {
      this.#show(await rotateStreamKey(this.nickname));
    } catch (error) {
      this.keyProblem = error;
    }
    this.#rotating = false;
  };

  /** @param {{ server: string, key: string }} made */
  #show({ server, key }) {
    this.key = key;
    this.server = server;
  }

  /** From beside the numbers: on air the steps are folded, and what has to be copied is in there. @param {CustomEvent<{ server: string, key: string }>} event */
  #onRotated = async ({ detail }) => {
    this.#show(detail);
    await this.updateComplete;
    const steps = this.querySelector("details");
    if (steps === null) return;
    steps.open = true;
    [...steps.querySelectorAll("copy-field")].at(-1)?.querySelector("button")?.focus(); // That is seen then.
  };
}

customElements.define("studio-desk", StudioDesk);
