/**
 * Door: the picture, and all that can be done with it.
 *
 * It shows what it is told (`broadcast`) and what the video itself says; it never guesses. Events: `played-out`,
 * `theatre` (pressed below the picture), and `trouble` when the picture cannot be had: it is being mended, but the broadcast may be over.
 * @module
 */

import { classMap, createRef, html, nothing, ref } from "/js/vendor/lit.js";
import { NOTHING_KNOWN } from "../core/broadcast_state.js";
import { breath } from "../net/breath.js";
import { keep, kept } from "../net/storage.js";
import { t } from "../net/words.js";
import * as icons from "./icons.js";
import "./last_live.js";
import { LightElement } from "./light_element.js";
import "./player_controls.js";
import * as playerIcons from "./player_icons.js";

/** The controls leave the picture alone after this. */
const IDLE_AFTER_MS = 2_500;
/** What an ended broadcast has left in the buffer is played for this long at most. */
const PLAY_OUT_MS_MAX = 10_000;
const TRY_AGAIN_MS = 2_000;
const VOLUME = "commeow.volume";

export class LivePlayer extends LightElement {
  static properties = {
    broadcast: { attribute: false },
    nickname: {},
    lastLive: { attribute: false },
    theatre: { type: Boolean },
    troubled: { state: true },
    blocked: { state: true },
    waiting: { state: true },
    idle: { state: true },
    begun: { state: true },
  };

  /**
   * What the house knew of the picture when it sent the page. It is there before any script, and stays where it is below
   * the stage: moved, it would be painted anew, and only that counts as the page's largest picture.
   * @type {HTMLImageElement | null}
   */
  #poster = null;
  /** Captions that the page brought along. @type {Element[]} */
  #tracks = [];
  /** @type {import("lit/directives/ref.js").Ref<HTMLVideoElement>} */
  #video = createRef();
  /** @type {import("lit/directives/ref.js").Ref<import("./player_controls.js").PlayerControls>} */
  #controls = createRef();
  /** @type {import("../net/playback.js").Playback | null} */
  #playback = null;
  /** It comes while the page asks whether there is anything to play. @type {Promise<typeof import("../net/playback.js")> | null} */
  #coming = null;
  #turn = -1;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #idling;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #playingOut;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #trying;
  /** Whether the finger that is down has brought back the controls. */
  #woken = false;

  constructor() {
    super();
    /** @type {import("../core/broadcast_state.js").Broadcast} */
    this.broadcast = NOTHING_KNOWN;
    this.nickname = "";
    /** When the channel's last broadcast ended, as far as the house has said. @type {string | null} */
    this.lastLive = null;
    /** The page gives it all the room there is. */
    this.theatre = false;
    /** The player is mending something. */
    this.troubled = false;
    /** The browser wants a click before it plays. */
    this.blocked = false;
    /** The picture waits for data. */
    this.waiting = false;
    this.idle = false;
    /** The video has shown something. */
    this.begun = false;
  }

  connectedCallback() {
    super.connectedCallback();
    this.#poster ??= this.querySelector("img.poster");
    if (!this.hasUpdated) this.#tracks = [...this.querySelectorAll("track")];
    this.#coming = import("../net/playback.js");
    this.#coming.catch(() => null); // Told when it is needed.
  }

  disconnectedCallback() {
    clearTimeout(this.#idling);
    clearTimeout(this.#playingOut);
    clearTimeout(this.#trying);
    this.#playback?.stop();
    this.#playback = null;
    this.#turn = -1;
    super.disconnectedCallback();
  }

  /** @param {Map<string, unknown>} changed */
  updated(changed) {
    if (changed.has("broadcast")) this.#follow();
    const { state } = this.broadcast;
    if (this.begun || (state !== "live" && state !== "unknown")) this.#poster?.remove();
  }

  /** A new turn is a new beginning; an interruption keeps what is there and waits. */
  #follow() {
    const { state, playback, turn } = this.broadcast;
    const video = this.#video.value;
    if (video === undefined) return;
    clearTimeout(this.#playingOut);
    if (state === "offline") this.#playback?.stop();
    if (state === "ended") {
      if (this.#isBack) return; // What is kept plays on.
      if (this.#plays) this.#playingOut = setTimeout(this.#stop, PLAY_OUT_MS_MAX);
      else this.#stop();
    }
    if (state !== "live" || playback === null || turn === this.#turn) return;
    this.#turn = turn;
    this.troubled = false;
    void this.#load(video, playback);
  }

  /** @param {HTMLVideoElement} video @param {string} url */
  async #load(video, url) {
    try {
      this.#playback ??= await this.#made(video);
    } catch {
      // The script could not be had.
      this.#turn = -1;
      this.troubled = true;
      this.tell("trouble");
      this.#trying = setTimeout(() => this.#follow(), TRY_AGAIN_MS);
      return;
    }
    if (url === this.broadcast.playback) this.#playback.load(url);
    this.requestUpdate(); // The controls get it now.
  }

  /** @param {HTMLVideoElement} video */
  async #made(video) {
    const coming = this.#coming ?? import("../net/playback.js");
    this.#coming = null; // Once more, should it fail.
    const { Playback } = await coming;
    if (this.#playback !== null) return this.#playback;
    video.volume = Math.min(1, Math.max(0, Number(kept(VOLUME) ?? 1))) || 1;
    const playback = new Playback(video);
    playback.addEventListener("trouble", () => {
      if (!this.troubled) this.tell("trouble");
      this.troubled = true;
      if (this.broadcast.state === "ended" && !this.#isBack) this.#stop();
    });
    playback.addEventListener("smooth", () => {
      this.troubled = false;
    });
    return playback;
  }

  get #isBack() {
    return this.#playback?.isBack === true;
  }

  #redraw = () => this.requestUpdate();

  #stop = () => {
    this.#playback?.stop();
    this.requestUpdate();
  };

  /** Whether the picture moves. */
  get #plays() {
    const video = this.#video.value;
    return video !== undefined && !video.paused && !video.ended && video.readyState >= video.HAVE_FUTURE_DATA;
  }

  render() {
    const { state } = this.broadcast;
    const video = this.#video.value;
    const on = state === "live" || state === "interrupted" || (state === "ended" && this.#isBack);
    return html`
      <div class=${classMap({ stage: true, idle: this.idle && on && video?.paused === false })} tabindex="0" role="group"
        aria-label=${t("player.label", { nickname: this.nickname })}
        @keydown=${this.onKey} @click=${this.#touched} @pointermove=${this.#stir} @pointerdown=${this.#onDown} @focusin=${this.#stir} @pointerleave=${this.#onLeave}>
        <video ${ref(this.#video)} .muted=${true} playsinline autoplay ?hidden=${!on && state !== "ended"}
          aria-label=${t("player.video", { nickname: this.nickname })}
          @click=${this.#onPicture} @play=${this.#onPlay} @pause=${this.#redraw} @volumechange=${this.#onVolume}
          @loadeddata=${this.#onData} @playing=${this.#onPlaying} @waiting=${this.#onWaiting} @ended=${this.#onEnded}>${this.#tracks}</video>
        ${this.#notice(state)}
        ${on
          ? html`<player-controls class="controls" role="group" aria-label=${t("player.controls")} ${ref(this.#controls)}
              .video=${video} .playback=${this.#playback} .theatre=${this.theatre} @play-wanted=${this.#begin} @keys-wanted=${this.#showKeys}></player-controls>`
          : nothing}
      </div>
    `;
  }

  /** @param {import("../core/broadcast_state.js").OnAir} state */
  #notice(state) {
    const video = this.#video.value;
    switch (state) {
      case "offline":
        return html`<div class="notice full asleep">${icons.sleepingCat}${this.#over(t("player.offline", { nickname: this.nickname }))}</div>`;
      case "ended":
        if (this.#plays || this.#isBack) return nothing; // The last seconds are still to be seen.
        return html`<div class="notice full veil">${icons.sleepingCat}${this.#over(t("player.ended"))}</div>`;
      case "interrupted":
        return html`<div class="notice" role="status"><p><span class="spinner"></span>${t("player.interrupted")}</p></div>`;
      case "live":
        if (this.troubled) return html`<div class="notice" role="status"><p><span class="spinner"></span>${t("player.trouble")}</p></div>`;
        if (this.blocked) return html`<button class="begin" type="button" @click=${this.#begin}>${playerIcons.play}<span>${t("player.play")}</span></button>`;
        if (this.waiting) return html`<div class="notice bare"><span class="spinner"></span></div>`;
        if (video?.muted === true && !video.paused) {
          return html`<button class="unmute" type="button" @click=${() => this.#controls.value?.unmute()}>${playerIcons.silent}<span>${t("player.unmute")}</span></button>`;
        }
        return nothing;
      default:
        return html`<div class="notice bare"><span class="spinner"></span></div>`;
    }
  }

  /** What is said once, and what the clock goes on with: nobody hears that anew each minute. @param {string} words */
  #over(words) {
    return html`<div class="words"><p role="status">${words}</p><last-live .moment=${this.lastLive}></last-live></div>`;
  }

  #begin = async () => {
    this.blocked = (await this.#playback?.play()) === false;
  };

  /** Also while there is nothing to play: it says what will be. */
  #showKeys = async () => {
    await import("./player_keys.js");
    const here = this.querySelector("player-keys");
    const list = /** @type {import("./player_keys.js").PlayerKeys} */ (here ?? document.createElement("player-keys"));
    if (here === null) this.querySelector(".stage")?.append(list); // Inside: a whole screen shows nothing else.
    await list.open();
  };

  #onVolume = () => {
    const video = this.#video.value;
    if (video !== undefined && !video.muted) keep(VOLUME, String(video.volume));
    this.requestUpdate();
  };

  #onPlay = () => {
    this.blocked = false;
  };

  #onData = () => {
    this.begun = true;
  };

  #onPlaying = () => {
    this.waiting = false;
    this.troubled = false;
    this.blocked = false;
    if (!this.idle) this.#awaitRest(); // Also of somebody who only looks.
  };

  #onWaiting = () => {
    this.waiting = true;
    if (this.broadcast.state === "ended" && !this.#isBack) this.#stop();
  };

  #onEnded = () => {
    this.waiting = false;
    this.#playback?.stop();
    this.tell("played-out");
  };

  /** A finger shows the controls first; a mouse has them already and pauses. @param {PointerEvent} event */
  #onPicture = (event) => {
    if (event.pointerType === "mouse") this.#controls.value?.toggle();
  };

  /** Also for a page where nothing else has the focus. @param {KeyboardEvent} event */
  onKey = (event) => {
    // Keys of the slider and the menu are theirs.
    if (event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target instanceof HTMLButtonElement && (event.key === " " || event.key === "Enter")) return;
    const act = this.#controls.value?.actOf(event.key);
    if (act === undefined) return;
    event.preventDefault();
    act();
  };

  #stir = () => {
    this.idle = false;
    this.#awaitRest();
  };

  #awaitRest() {
    clearTimeout(this.#idling);
    this.#idling = setTimeout(this.#rest, IDLE_AFTER_MS);
  }

  /** @param {PointerEvent} event */
  #onDown = (event) => {
    this.#woken = this.idle && event.pointerType !== "mouse";
    this.#stir();
  };

  /** A finger that is lifted leaves too, and its owner has only begun to look. @param {PointerEvent} event */
  #onLeave = (event) => {
    if (event.pointerType === "mouse") this.#rest();
  };

  /** A finger meant the picture, not the button that nobody saw there. A key meant the button: its click counts no presses. */
  #touched = {
    capture: true,
    /** @param {MouseEvent} event */
    handleEvent: (event) => {
      const unseen = this.#woken && event.detail > 0 && event.target instanceof Element && event.target.closest(".controls") !== null;
      this.#woken = false;
      if (unseen) event.stopPropagation();
    },
  };

  #rest = () => {
    // Controls that hold the keyboard's focus stay: hidden focus is lost focus.
    this.idle = this.querySelector(".controls :focus-visible") === null;
  };
}

await breath(); // See chat_room.js.
customElements.define("live-player", LivePlayer);
