/**
 * Door: the bar below the picture: play, sound, the way back in time, quality, and how large the picture is.
 *
 * It shows what the video itself says and never guesses. Events: `play-wanted`, `theatre`, `keys-wanted`.
 * @module
 */

import { classMap, html, live, nothing } from "/js/vendor/lit.js";
import { captionsOf } from "../core/captions.js";
import { rewind } from "../core/rewind.js";
import { keep, kept } from "../net/storage.js";
import { format, language, t } from "../net/words.js";
import { LightElement } from "./light_element.js";
import * as icons from "./player_icons.js";

/** The read-out of the latency: slower than this looks stuck, faster is unrest. */
const READ_EVERY_MS = 500;
const SEEK_SECONDS = 5;
const BACK_SECONDS = 10;
const VOLUME_STEP = 0.1;
const CAPTIONS = "commeow.captions";

export class PlayerControls extends LightElement {
  static properties = { video: { attribute: false }, playback: { attribute: false }, theatre: { type: Boolean } };

  /** @type {ReturnType<typeof setInterval> | undefined} */
  #reading;
  /** @type {AbortController | null} */
  #listening = null;

  constructor() {
    super();
    /** @type {HTMLVideoElement | undefined} */
    this.video = undefined;
    /** @type {import("../net/playback.js").Playback | null} */
    this.playback = null;
    this.theatre = false;
  }

  connectedCallback() {
    super.connectedCallback();
    document.addEventListener("fullscreenchange", this.#redraw);
    this.#reading = setInterval(this.#redraw, READ_EVERY_MS);
  }

  disconnectedCallback() {
    document.removeEventListener("fullscreenchange", this.#redraw);
    clearInterval(this.#reading);
    this.#listening?.abort();
    super.disconnectedCallback();
  }

  /** @param {Map<string, unknown>} changed */
  updated(changed) {
    if (!changed.has("video") && !changed.has("playback")) return;
    this.#listening?.abort();
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    for (const name of ["play", "pause", "volumechange", "seeked", "enterpictureinpicture", "leavepictureinpicture"]) {
      this.video?.addEventListener(name, this.#redraw, { signal });
    }
    this.playback?.addEventListener("levels", this.#redraw, { signal });
    for (const name of ["addtrack", "removetrack", "change"]) this.video?.textTracks.addEventListener(name, this.#redraw, { signal });
    this.video?.textTracks.addEventListener("addtrack", this.#showWanted, { signal });
    this.#showWanted();
  }

  #redraw = () => this.requestUpdate();

  render() {
    const paused = this.video?.paused ?? true;
    const muted = this.video?.muted ?? true;
    const { latencySeconds, atLive } = this.playback?.position ?? { latencySeconds: null, atLive: true };
    const whole = document.fullscreenElement === this.closest(".stage");
    return html`
      ${this.#bar()}
      <div class="buttons">
        ${this.#button(paused ? t("player.play") : t("player.pause"), "K", paused ? icons.play : icons.pause, this.toggle)}
        ${this.#button(t("player.back", { count: BACK_SECONDS }), "J", icons.back, this.goBack)}
        <span class="loudness">
          ${this.#button(muted ? t("player.unmute") : t("player.mute"), "M", muted ? icons.silent : icons.sound, this.toggleSound)}
          <input class="volume" type="range" min="0" max="1" step="0.05" aria-label=${t("player.volume")}
            .value=${String(muted ? 0 : (this.video?.volume ?? 1))} @input=${this.#onVolume}>
        </span>
        <button class=${classMap({ live: true, at: atLive && !paused })} type="button" aria-pressed=${atLive && !paused}
          title=${`${t("player.go_live")} (L)`} @click=${this.goLive}><span class="dot"></span>${t("live.badge")}</button>
        <span class="latency" title=${t("player.latency_title")}>
          ${latencySeconds === null ? nothing : t("player.latency", { seconds: format.seconds(latencySeconds) })}
        </span>
        <span class="space"></span>
        ${this.#quality()}
        ${this.#captionsButton()}
        ${document.pictureInPictureEnabled ? this.#button(t("player.window"), "I", icons.window, this.toggleWindow, this.#isApart) : nothing}
        <span class="wide keys">${this.#button(t("keys.title"), "?", icons.keys, this.showKeys)}</span>
        <span class="wide">${this.#button(t(this.theatre ? "player.leave_theatre" : "player.theatre"), "T", icons.theatre, this.toggleTheatre)}</span>
        ${this.#button(whole ? t("player.leave_whole") : t("player.whole"), "F", whole ? icons.small : icons.whole, this.toggleWhole)}
      </div>
    `;
  }

  #bar() {
    const where = this.playback === null ? null : rewind(this.playback.range);
    if (where === null) return nothing;
    const words = where.behindSeconds === 0 ? t("player.at_live") : t("player.behind", { count: Math.round(where.behindSeconds) });
    return html`<input class="seek" type="range" min=${where.from} max=${where.to} step="0.5" aria-label=${t("player.seek")}
      aria-valuetext=${words} title=${words} .value=${live(String(where.at))} @input=${this.#onSeek}>`;
  }

  /** The browser shows the picture in a small window of its own. */
  get #isApart() {
    return this.video !== undefined && document.pictureInPictureElement === this.video;
  }

  /** @param {string} label @param {string} key @param {unknown} icon @param {() => void} act @param {boolean} [pressed] */
  #button(label, key, icon, act, pressed) {
    return html`<button class="icon-button" type="button" aria-label=${label} aria-keyshortcuts=${key} aria-pressed=${pressed ?? nothing}
      title=${`${label} (${key})`} @click=${act}>${icon}</button>`;
  }

  #quality() {
    const levels = this.playback?.levels ?? [];
    if (levels.length < 2) {
      const name = levels[0]?.name ?? "";
      return name === "" ? nothing : html`<span class="only-quality">${name}</span>`;
    }
    const playing = levels.find((level) => level.index === this.playback?.playing)?.name ?? "";
    return html`
      <select class="quality" aria-label=${t("player.quality")} title=${t("player.quality")} @change=${this.#onQuality}>
        <option value="-1" ?selected=${this.playback?.chosen === -1}>${playing === "" ? t("player.quality_auto") : t("player.quality_auto_now", { name: playing })}</option>
        ${levels.map(({ index, name }) => html`<option value=${String(index)} ?selected=${this.playback?.chosen === index}>${name === "" ? String(index + 1) : name}</option>`)}
      </select>
    `;
  }

  /** Only where there is something to read. */
  #captionsButton() {
    const { tracks, shown } = captionsOf(this.video?.textTracks ?? [], language);
    if (tracks.length === 0) return nothing;
    return html`<button class="icon-button" type="button" aria-pressed=${shown !== null} aria-label=${t("player.captions")}
      aria-keyshortcuts="C" title=${`${t("player.captions")} (C)`} @click=${this.toggleCaptions}>${icons.captions}</button>`;
  }

  /** What a key does while the player has the focus. @param {string} key @returns {(() => void) | undefined} */
  actOf(key) {
    /** @type {Record<string, () => void>} */
    const acts = {
      k: this.toggle,
      " ": this.toggle,
      m: this.toggleSound,
      f: this.toggleWhole,
      t: this.toggleTheatre,
      i: this.toggleWindow,
      c: this.toggleCaptions,
      "?": this.showKeys,
      j: this.goBack,
      l: this.goLive,
      ArrowLeft: () => this.#step(-SEEK_SECONDS),
      ArrowRight: () => this.#step(SEEK_SECONDS),
      ArrowUp: () => this.#louder(VOLUME_STEP),
      ArrowDown: () => this.#louder(-VOLUME_STEP),
    };
    return acts[key.length === 1 ? key.toLowerCase() : key];
  }

  toggle = () => {
    if (this.video?.paused === false) this.video.pause();
    else this.tell("play-wanted");
  };

  unmute = () => {
    if (this.video === undefined) return;
    this.video.muted = false;
    if (this.video.volume === 0) this.video.volume = 1;
    if (this.video.paused) this.tell("play-wanted");
  };

  toggleSound = () => {
    if (this.video?.muted === true) this.unmute();
    else if (this.video !== undefined) this.video.muted = true;
  };

  goBack = () => this.#step(-BACK_SECONDS);

  goLive = () => this.playback?.goLive();

  toggleCaptions = () => {
    const { shown, best } = captionsOf(this.video?.textTracks ?? [], language);
    if (shown !== null) shown.mode = "hidden";
    else if (best !== null) best.mode = "showing";
    else return;
    keep(CAPTIONS, shown === null ? "1" : null);
    this.#redraw();
  };

  /** Whoever read along last time reads along again. */
  #showWanted = () => {
    const { shown, best } = captionsOf(this.video?.textTracks ?? [], language);
    if (kept(CAPTIONS) !== null && shown === null && best !== null) best.mode = "showing";
  };

  showKeys = () => this.tell("keys-wanted");

  toggleTheatre = () => this.tell("theatre");

  toggleWindow = () => {
    // The browser refuses while there is no picture yet, or without a click: then nothing happens.
    if (document.pictureInPictureElement !== null) void document.exitPictureInPicture().catch(() => null);
    else if (document.pictureInPictureEnabled) void this.video?.requestPictureInPicture().catch(() => null);
  };

  toggleWhole = () => {
    const stage = this.closest(".stage");
    const video = /** @type {(HTMLVideoElement & { webkitEnterFullscreen?: () => void }) | undefined} */ (this.video);
    if (document.fullscreenElement !== null) void document.exitFullscreen();
    else if (stage?.requestFullscreen !== undefined) void stage.requestFullscreen().catch(() => null);
    else video?.webkitEnterFullscreen?.();
  };

  /** @param {number} seconds */
  #step(seconds) {
    this.playback?.seek((this.video?.currentTime ?? 0) + seconds);
  }

  /** @param {number} change */
  #louder(change) {
    if (this.video === undefined) return;
    const volume = Math.round(Math.min(1, Math.max(0, (this.video.muted ? 0 : this.video.volume) + change)) * 100) / 100;
    this.video.volume = volume;
    this.video.muted = volume === 0;
  }

  /** @param {Event} event */
  #onVolume = (event) => {
    if (this.video === undefined || !(event.target instanceof HTMLInputElement)) return;
    this.video.volume = Number(event.target.value);
    this.video.muted = this.video.volume === 0;
  };

  /** @param {Event} event */
  #onSeek = (event) => {
    if (!(event.target instanceof HTMLInputElement)) return;
    const second = event.target.valueAsNumber;
    if (second >= Number(event.target.max)) this.goLive();
    else if (second <= Number(event.target.min)) this.playback?.seek(second - BACK_SECONDS); // Further than this list goes.
    else this.playback?.seek(second);
  };

  /** @param {Event} event */
  #onQuality = (event) => {
    if (!(event.target instanceof HTMLSelectElement) || this.playback === null) return;
    this.playback.choose(Number(event.target.value));
  };
}

customElements.define("player-controls", PlayerControls);
