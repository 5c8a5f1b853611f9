/**
 * Door: the picture, and all that can be done with it.
 *
 * It shows what it is told (`broadcast`) and what the video itself says; it never guesses. Events: `played-out`,
 * and `trouble` when the picture cannot be had: it is being mended, but the broadcast may be over.
 * @module
 */

import { classMap, createRef, html, nothing, ref } from "/js/vendor/lit.js";
import { NOTHING_KNOWN } from "../core/broadcast_state.js";
import { Playback } from "../net/playback.js";
import { keep, kept } from "../net/storage.js";
import { format, t } from "../net/words.js";
import * as icons from "./icons.js";
import { LightElement } from "./light_element.js";
import * as playerIcons from "./player_icons.js";

/** The read-out of the latency: slower than this looks stuck, faster is unrest. */
const READ_EVERY_MS = 500;
/** The controls leave the picture alone after this. */
const IDLE_AFTER_MS = 2_500;
const SEEK_SECONDS = 5;
/** What an ended broadcast has left in the buffer is played for this long at most. */
const PLAY_OUT_MS_MAX = 10_000;
const VOLUME = "commeow.volume";

export class LivePlayer extends LightElement {
  static properties = {
    broadcast: { attribute: false },
    nickname: {},
    troubled: { state: true },
    blocked: { state: true },
    waiting: { state: true },
    idle: { state: true },
  };

  /** @type {import("lit/directives/ref.js").Ref<HTMLVideoElement>} */
  #video = createRef();
  /** @type {Playback | null} */
  #playback = null;
  #turn = -1;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #reading;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #idling;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #playingOut;

  constructor() {
    super();
    /** @type {import("../core/broadcast_state.js").Broadcast} */
    this.broadcast = NOTHING_KNOWN;
    this.nickname = "";
    /** The player is mending something. */
    this.troubled = false;
    /** The browser wants a click before it plays. */
    this.blocked = false;
    /** The picture waits for data. */
    this.waiting = false;
    this.idle = false;
  }

  connectedCallback() {
    super.connectedCallback();
    document.addEventListener("fullscreenchange", this.#redraw);
    this.#reading = setInterval(this.#redraw, READ_EVERY_MS);
  }

  disconnectedCallback() {
    document.removeEventListener("fullscreenchange", this.#redraw);
    clearInterval(this.#reading);
    clearTimeout(this.#idling);
    clearTimeout(this.#playingOut);
    this.#playback?.stop();
    this.#playback = null;
    this.#turn = -1;
    super.disconnectedCallback();
  }

  /** @param {Map<string, unknown>} changed */
  updated(changed) {
    if (changed.has("broadcast")) this.#follow();
  }

  /** A new turn is a new beginning; an interruption keeps what is there and waits. */
  #follow() {
    const { state, playback, turn } = this.broadcast;
    const video = this.#video.value;
    if (video === undefined) return;
    clearTimeout(this.#playingOut);
    if (state === "offline") this.#playback?.stop();
    if (state === "ended") {
      if (this.#plays) this.#playingOut = setTimeout(this.#stop, PLAY_OUT_MS_MAX);
      else this.#stop();
    }
    if (state !== "live" || playback === null || turn === this.#turn) return;
    this.#turn = turn;
    this.troubled = false;
    this.#playback ??= this.#made(video);
    this.#playback.load(playback);
  }

  /** @param {HTMLVideoElement} video */
  #made(video) {
    video.volume = Math.min(1, Math.max(0, Number(kept(VOLUME) ?? 1))) || 1;
    const playback = new Playback(video);
    playback.addEventListener("levels", this.#redraw);
    playback.addEventListener("trouble", () => {
      if (!this.troubled) this.tell("trouble");
      this.troubled = true;
      if (this.broadcast.state === "ended") this.#stop();
    });
    playback.addEventListener("smooth", () => {
      this.troubled = false;
    });
    return playback;
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
    const on = state === "live" || state === "interrupted";
    return html`
      <div class=${classMap({ stage: true, idle: this.idle && on && video?.paused === false })} tabindex="0" role="group"
        aria-label=${t("player.label", { nickname: this.nickname })}
        @keydown=${this.#onKey} @pointermove=${this.#stir} @pointerdown=${this.#stir} @focusin=${this.#stir} @pointerleave=${this.#rest}>
        <video ${ref(this.#video)} .muted=${true} playsinline autoplay ?hidden=${!on && state !== "ended"}
          aria-label=${t("player.video", { nickname: this.nickname })}
          @click=${this.#onPicture} @play=${this.#onPlay} @pause=${this.#redraw} @volumechange=${this.#onVolume}
          @playing=${this.#onPlaying} @waiting=${this.#onWaiting} @ended=${this.#onEnded}></video>
        ${this.#notice(state)}
        ${on ? this.#controls() : nothing}
      </div>
    `;
  }

  /** @param {import("../core/broadcast_state.js").OnAir} state */
  #notice(state) {
    const video = this.#video.value;
    switch (state) {
      case "offline":
        return html`<div class="notice full" role="status">${icons.sleepingCat}<p>${t("player.offline", { nickname: this.nickname })}</p></div>`;
      case "ended":
        if (this.#plays) return nothing; // The last seconds are still to be seen.
        return html`<div class="notice full veil" role="status">${icons.sleepingCat}<p>${t("player.ended")}</p></div>`;
      case "interrupted":
        return html`<div class="notice" role="status"><p><span class="spinner"></span>${t("player.interrupted")}</p></div>`;
      case "live":
        if (this.troubled) return html`<div class="notice" role="status"><p><span class="spinner"></span>${t("player.trouble")}</p></div>`;
        if (this.blocked) return html`<button class="begin" type="button" @click=${this.#begin}>${playerIcons.play}<span>${t("player.play")}</span></button>`;
        if (this.waiting) return html`<div class="notice bare"><span class="spinner"></span></div>`;
        if (video?.muted === true && !video.paused) {
          return html`<button class="unmute" type="button" @click=${this.#unmute}>${playerIcons.silent}<span>${t("player.unmute")}</span></button>`;
        }
        return nothing;
      default:
        return html`<div class="notice bare"><span class="spinner"></span></div>`;
    }
  }

  #controls() {
    const video = this.#video.value;
    const paused = video?.paused ?? true;
    const muted = video?.muted ?? true;
    const { latencySeconds, atLive } = this.#playback?.position ?? { latencySeconds: null, atLive: true };
    const whole = document.fullscreenElement === this.querySelector(".stage");
    return html`
      <div class="controls" role="group" aria-label=${t("player.controls")}>
        ${this.#button(paused ? t("player.play") : t("player.pause"), paused ? playerIcons.play : playerIcons.pause, this.#toggle)}
        ${this.#button(muted ? t("player.unmute") : t("player.mute"), muted ? playerIcons.silent : playerIcons.sound, this.#toggleSound)}
        <input class="volume" type="range" min="0" max="1" step="0.05" aria-label=${t("player.volume")}
          .value=${String(muted ? 0 : (video?.volume ?? 1))} @input=${this.#onSlider}>
        <button class=${classMap({ live: true, at: atLive && !paused })} type="button" aria-pressed=${atLive && !paused}
          title=${t("player.go_live")} @click=${this.#goLive}><span class="dot"></span>${t("live.badge")}</button>
        <span class="latency" title=${t("player.latency_title")}>
          ${latencySeconds === null ? nothing : t("player.latency", { seconds: format.seconds(latencySeconds) })}
        </span>
        <span class="space"></span>
        ${this.#quality()}
        ${this.#button(whole ? t("player.leave_whole") : t("player.whole"), whole ? playerIcons.small : playerIcons.whole, this.#toggleWhole)}
      </div>
    `;
  }

  /** @param {string} label @param {unknown} icon @param {() => void} act */
  #button(label, icon, act) {
    return html`<button class="icon-button" type="button" aria-label=${label} title=${label} @click=${act}>${icon}</button>`;
  }

  #quality() {
    const levels = this.#playback?.levels ?? [];
    if (levels.length < 2) {
      const name = levels[0]?.name ?? "";
      return name === "" ? nothing : html`<span class="only-quality">${name}</span>`;
    }
    const playing = levels.find((level) => level.index === this.#playback?.playing)?.name ?? "";
    return html`
      <select class="quality" aria-label=${t("player.quality")} title=${t("player.quality")} @change=${this.#onQuality}>
        <option value="-1">${playing === "" ? t("player.quality_auto") : t("player.quality_auto_now", { name: playing })}</option>
        ${levels.map(({ index, name }) => html`<option value=${String(index)}>${name === "" ? String(index + 1) : name}</option>`)}
      </select>
    `;
  }

  #begin = async () => {
    this.blocked = (await this.#playback?.play()) === false;
  };

  #toggle = () => {
    if (this.#video.value?.paused === false) this.#video.value.pause();
    else void this.#begin();
  };

  #goLive = () => this.#playback?.goLive();

  #unmute = () => {
    const video = this.#video.value;
    if (video === undefined) return;
    video.muted = false;
    if (video.volume === 0) video.volume = 1;
    if (video.paused) void this.#begin();
  };

  #toggleSound = () => {
    if (this.#video.value?.muted === true) this.#unmute();
    else if (this.#video.value !== undefined) this.#video.value.muted = true;
  };

  #toggleWhole = () => {
    const stage = this.querySelector(".stage");
    const video = /** @type {(HTMLVideoElement & { webkitEnterFullscreen?: () => void }) | undefined} */ (this.#video.value);
    if (document.fullscreenElement !== null) void document.exitFullscreen();
    else if (stage?.requestFullscreen !== undefined) void stage.requestFullscreen().catch(() => null);
    else video?.webkitEnterFullscreen?.();
  };

  /** @param {Event} event */
  #onSlider = (event) => {
    const video = this.#video.value;
    if (video === undefined || !(event.target instanceof HTMLInputElement)) return;
    video.volume = Number(event.target.value);
    video.muted = video.volume === 0;
  };

  #onVolume = () => {
    const video = this.#video.value;
    if (video !== undefined && !video.muted) keep(VOLUME, String(video.volume));
    this.requestUpdate();
  };

  /** @param {Event} event */
  #onQuality = (event) => {
    if (event.target instanceof HTMLSelectElement) this.#playback?.choose(Number(event.target.value));
  };

  #onPlay = () => {
    this.blocked = false;
  };

  #onPlaying = () => {
    this.waiting = false;
    this.troubled = false;
    this.blocked = false;
  };

  #onWaiting = () => {
    this.waiting = true;
    if (this.broadcast.state === "ended") this.#stop();
  };

  #onEnded = () => {
    this.waiting = false;
    this.#playback?.stop();
    this.tell("played-out");
  };

  /** A finger shows the controls first; a mouse has them already and pauses. @param {PointerEvent} event */
  #onPicture = (event) => {
    if (event.pointerType === "mouse") this.#toggle();
  };

  /** @param {KeyboardEvent} event */
  #onKey = (event) => {
    // Keys of the slider and the menu are theirs.
    if (event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const video = this.#video.value;
    const onButton = event.target instanceof HTMLButtonElement;
    if (video === undefined || (onButton && (event.key === " " || event.key === "Enter"))) return;
    /** @type {Record<string, () => void>} */
    const acts = {
      k: this.#toggle,
      " ": this.#toggle,
      m: this.#toggleSound,
      f: this.#toggleWhole,
      l: this.#goLive,
      ArrowLeft: () => (video.currentTime -= SEEK_SECONDS),
      ArrowRight: () => (video.currentTime += SEEK_SECONDS),
    };
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (act === undefined) return;
    event.preventDefault();
    act();
  };

  #stir = () => {
    this.idle = false;
    clearTimeout(this.#idling);
    this.#idling = setTimeout(this.#rest, IDLE_AFTER_MS);
  };

  #rest = () => {
    // Controls that hold the keyboard's focus stay: hidden focus is lost focus.
    this.idle = this.querySelector(".controls :focus-visible") === null;
  };
}

customElements.define("live-player", LivePlayer);
