/**
 * Shell: hls.js and one <video>: load, follow, and come back from every fault by itself.
 * @module
 */

import { waitMs } from "../core/backoff.js";
import { jumpOf, rateOf } from "../core/catch_up.js";
import { HLS_CONFIG, isAtLive, levelName, tracksOf } from "../core/hls_config.js";
import { secondOf } from "../core/rewind.js";
import { look, startWatch } from "../core/watchdog.js";
import { breath } from "./breath.js";
import { keep, kept } from "./storage.js";

/** @typedef {import("hls.js").default} HlsPlayer */
/** @typedef {{ index: number, name: string }} Level */

const LOOK_EVERY_MS = 1_000;
/** A rendition's name, as levelName gives it. */
const QUALITY = "commeow.quality";

/** Beside the list of the edge lies the one of all that is kept (PROTOCOL.md, Going back). @param {string} url */
const wholeOf = (url) => url.replace(/index\.m3u8$/, "dvr.m3u8");

/**
 * Events: `levels` (the list changed), `trouble` (it is being mended), `smooth` (it plays again).
 */
export class Playback extends EventTarget {
  /** @type {HlsPlayer | null} */
  #hls = null;
  /** @type {string | null} */
  #url = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #looking;
  #watch = startWatch(0);
  #attempt = 0;
  #mendedAtMs = Number.NEGATIVE_INFINITY;
  /** The moment that was gone back to; null at the edge. @type {number | null} */
  #momentMs = null;
  /** Whether its viewer has chosen to be behind: by going back, or by a pause. */
  #stays = false;
  /** What hls.js has made buffers for; "" before it has. */
  #tracks = "";
  /** When that began which is being loaded. */
  #loadingMs = 0;
  /** Where the tracks changed, as long as it has not begun anew there; Infinity: at the edge. @type {number | null} */
  #changedMs = null;

  /** @param {HTMLVideoElement} video */
  constructor(video) {
    super();
    this.video = video;
    video.addEventListener("timeupdate", () => this.#keepUp());
    // Who has paused goes on when they like, whatever begins anew meanwhile; the element keeps that wish itself. To be
    // detached pauses it too, but is no such event.
    video.addEventListener("play", () => this.#wish(true));
    video.addEventListener("pause", () => {
      this.#wish(video.ended);
      if (!video.ended) this.#stays = true; // What is over pauses by itself.
    });
    for (const name of ["play", "waiting"]) video.addEventListener(name, () => this.#beyondChange());
    // hls.js hears of its own faults; without it the element alone tells.
    video.addEventListener("error", () => {
      if (this.#isNative) this.#again();
    });
    video.addEventListener("playing", () => {
      if (this.#isNative) this.#attempt = 0;
    });
  }

  /** @param {boolean} plays */
  #wish(plays) {
    this.video.autoplay = plays;
  }

  /** The browser itself plays the list. */
  get #isNative() {
    return this.#hls === null && this.#url !== null && this.video.hasAttribute("src");
  }

  /** @param {string} url of a multivariant playlist */
  load(url) {
    this.stop();
    this.#url = url;
    this.#momentMs = this.#changedMs = null;
    this.#stays = false;
    this.#wish(true);
    this.#attempt = 0;
    this.#watch = startWatch(performance.now());
    this.#looking = setInterval(() => this.#look(), LOOK_EVERY_MS);
    void this.#attach();
  }

  stop() {
    clearTimeout(this.#retry);
    clearInterval(this.#looking);
    this.#url = null;
    this.#detach();
  }

  /** Jump to the newest picture. */
  goLive() {
    const { edge } = this.range;
    this.#stays = false;
    if (this.#momentMs !== null || this.#changedMs !== null) this.#turnTo(null);
    else if (!Number.isNaN(edge)) this.video.currentTime = edge;
    void this.play();
  }

  /**
   * Go to a second of the media's own clock, as far as it can be had: what the edge's list no longer has, the whole
   * one may.
   * @param {number} second
   */
  seek(second) {
    const { start, edge, time } = this.range;
    if (Number.isNaN(edge)) return;
    this.#stays = second < edge;
    const now = this.#hls?.playingDate ?? null;
    // Once its tracks have changed nothing more is loaded of what there is, also nothing of before.
    const isGone = this.#changedMs === null ? second < start && this.#momentMs === null : second < time;
    if (isGone && now !== null) this.#turnTo(now.getTime() + (second - time) * 1000);
    else this.video.currentTime = Math.min(edge, Math.max(start, second));
  }

  /** Whether one watches what is kept, not what is on: it plays on also when the broadcast is over. */
  get isBack() {
    return this.#momentMs !== null;
  }

  /** Whether there is more to be seen before what comes: also the edge's list goes half a minute back. */
  get #isBehind() {
    return this.isBack || !this.position.atLive;
  }

  /** @param {number | null} momentMs null: the edge */
  #turnTo(momentMs) {
    this.#momentMs = momentMs;
    this.#changedMs = null;
    this.#detach();
    void this.#attach();
  }

  /** What can be seen, in seconds of the media's own clock; NaN when nothing is known. */
  get range() {
    const { seekable, currentTime } = this.video;
    const known = seekable.length > 0;
    const end = known ? seekable.end(seekable.length - 1) : Number.NaN;
    return { start: known ? seekable.start(0) : Number.NaN, edge: this.#hls?.liveSyncPosition ?? end, time: currentTime };
  }

  /** @returns {Promise<boolean>} false when the browser wants a click first */
  async play() {
    this.#wish(true); // Also of what is only just coming.
    try {
      await this.video.play();
      return true;
    } catch {
      return false;
    }
  }

  /** @returns {{ latencySeconds: number | null, atLive: boolean }} */
  get position() {
    const latencySeconds = this.#hls === null ? 0 : this.#behind(this.#hls);
    if (this.#hls === null || !(latencySeconds > 0)) return { latencySeconds: null, atLive: true };
    return { latencySeconds, atLive: !this.isBack && isAtLive(latencySeconds, this.#hls.targetLatency) };
  }

  /** hls.js looks at its clocks while the picture moves; one that stands grows older all the same. @param {HlsPlayer} hls */
  #behind({ latency, liveSyncPosition, targetLatency }) {
    const { paused, currentTime } = this.video;
    return paused && liveSyncPosition !== null ? Math.max(latency, liveSyncPosition + (targetLatency ?? 0) - currentTime) : latency;
  }

  /** @returns {Level[]} best first */
  get levels() {
    return (this.#hls?.levels ?? [])
      .map((level, index) => ({ index, name: levelName(level), bitrate: level.bitrate }))
      .sort((one, other) => other.bitrate - one.bitrate);
  }

  /** The level that was chosen; -1 when the player chooses. */
  get chosen() {
    return this.#hls === null || this.#hls.autoLevelEnabled ? -1 : this.#hls.manualLevel;
  }

  /** The level that is playing now; -1 when none is. */
  get playing() {
    return this.#hls?.currentLevel ?? -1;
  }

  /** @param {number} index -1 lets the player choose */
  choose(index) {
    if (this.#hls === null) return;
    this.#hls.nextLevel = index;
    keep(QUALITY, this.levels.find((level) => level.index === index)?.name ?? null);
  }

  /** What was chosen on another page or another day, where this broadcast has it too. @param {HlsPlayer} hls */
  #chooseAsBefore(hls) {
    const name = kept(QUALITY);
    const level = name === null ? undefined : this.levels.find((one) => one.name === name);
    if (level !== undefined) hls.loadLevel = level.index;
  }

  /** Play what has begun anew, unless its viewer had paused. */
  #goOn() {
    if (this.video.autoplay) void this.play();
  }

  async #attach() {
    const url = this.#url;
    if (url === null) return;
    const { Hls } = await import("/js/vendor/hls.js").catch(() => ({ Hls: null }));
    await breath(); // To run it the first time was one task's work, to begin with it is another's.
    if (this.#url !== url || this.#hls !== null) return; // Something else was asked for meanwhile, and may be here already.
    if (Hls === null) {
      this.#again();
    } else if (Hls.isSupported()) {
      const momentMs = this.#momentMs;
      // What came is read in one task, and what is asked for next in another: to send a request costs a slow phone as
      // much as to read a list, and hls.js sends two whenever it has read one.
      const config = { ...HLS_CONFIG, lowLatencyMode: momentMs === null, xhrSetup: breath };
      this.#follow(new Hls(config), Hls, momentMs === null ? url : wholeOf(url));
    } else {
      // Only where there is no MediaSource (older iPhones). Elsewhere `canPlayType` says "maybe" and does not mean it.
      this.video.src = url;
      this.#goOn();
    }
  }

  /** @param {HlsPlayer} hls @param {typeof import("hls.js").default} Hls @param {string} url */
  #follow(hls, Hls, url) {
    this.#hls = hls;
    const momentMs = this.#changedMs ?? this.#momentMs;
    this.#changedMs = null;
    this.#tracks = "";
    if (momentMs !== null && Number.isFinite(momentMs)) {
      // The list tells where the moment lies, so loading begins there and not at the edge.
      hls.once(Hls.Events.LEVEL_LOADED, (_, { details }) => hls.startLoad(secondOf(details.fragments, momentMs)));
    }
    hls.on(Hls.Events.FRAG_LOADING, (_, { frag }) => {
      if (frag.sn !== "initSegment") this.#loadingMs = frag.programDateTime ?? 0;
    });
    hls.on(Hls.Events.BUFFER_CODECS, (_, codecs) => this.#onTracks(hls, tracksOf(codecs)));
    hls.on(Hls.Events.MANIFEST_PARSED, () => {
      this.#chooseAsBefore(hls);
      this.dispatchEvent(new Event("levels"));
      this.#goOn();
    });
    hls.on(Hls.Events.LEVEL_SWITCHED, () => this.dispatchEvent(new Event("levels")));
    hls.on(Hls.Events.FRAG_BUFFERED, () => {
      if (this.#attempt === 0) return;
      this.#attempt = 0;
      this.dispatchEvent(new Event("smooth"));
    });
    hls.on(Hls.Events.ERROR, (_, { fatal, type }) => {
      if (!fatal || this.#changedMs !== null) return;
      const nowMs = performance.now();
      // A decoder that stumbled is mended in place, once; twice in ten seconds is no stumble.
      if (type === Hls.ErrorTypes.MEDIA_ERROR && nowMs - this.#mendedAtMs > 10_000) {
        this.#mendedAtMs = nowMs;
        hls.recoverMediaError();
        this.#goOn(); // To be attached anew is to be paused, and a paused picture is not looked after.
      } else {
        this.#again();
      }
    });
    hls.attachMedia(this.video);
    hls.loadSource(url);
  }

  /**
   * Sound alone has got a picture, or lost it: hls.js cannot take it into the buffers that it has.
   * @param {HlsPlayer} hls @param {string} tracks
   */
  #onTracks(hls, tracks) {
    const changed = this.#tracks !== "" && this.#tracks !== tracks;
    this.#tracks = tracks;
    if (!changed) return;
    // Who has paused at the edge goes on later, at what is the edge by then.
    this.#changedMs = this.video.paused && !this.#isBehind ? Number.POSITIVE_INFINITY : this.#loadingMs;
    // It is in the middle of its work.
    setTimeout(() => {
      if (this.#hls !== hls) return;
      hls.stopLoad();
      this.#beyondChange();
    }, 0);
  }

  /** Begin anew where the tracks changed: at once at the edge, elsewhere when all before it has been seen. */
  #beyondChange() {
    const { video } = this;
    if (this.#hls === null || this.#changedMs === null || video.paused) return;
    if (this.#changedMs !== Number.POSITIVE_INFINITY && this.#isBehind && video.readyState > video.HAVE_CURRENT_DATA) return;
    if (this.isBack) this.#momentMs = this.#changedMs;
    this.#detach();
    void this.#attach();
  }

  #again() {
    this.#momentMs = this.#changedMs = null; // What is kept may be gone; the edge is where a broadcast is.
    this.#stays = false;
    this.#detach();
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#attach(), waitMs(this.#attempt++, Math.random()));
    this.dispatchEvent(new Event("trouble"));
  }

  #detach() {
    this.#hls?.destroy();
    this.#hls = null;
    this.video.playbackRate = 1;
    if (this.video.hasAttribute("src")) {
      this.video.removeAttribute("src");
      this.video.load();
    }
  }

  /** Four times a second while it plays. */
  #keepUp() {
    const { video } = this;
    if (this.#hls === null) return;
    const { buffered, currentTime } = video;
    let aheadSeconds = 0;
    for (let index = 0; index < buffered.length; index++) {
      if (buffered.start(index) <= currentTime && currentTime <= buffered.end(index)) aheadSeconds = buffered.end(index) - currentTime;
    }
    const { latency, targetLatency } = this.#hls;
    const stays = this.isBack || this.#stays;
    const now = { latencySeconds: latency, targetSeconds: targetLatency, aheadSeconds, stays };
    const jump = jumpOf(now);
    if (jump > 0) video.currentTime = currentTime + jump;
    const rate = this.isBack ? 1 : rateOf(now);
    if (video.playbackRate !== rate) video.playbackRate = rate;
  }

  #look() {
    const { video } = this;
    const meant = (this.#hls !== null || this.#isNative) && !video.paused && !video.ended && document.visibilityState === "visible";
    const { watch, verdict } = look(this.#watch, { nowMs: performance.now(), time: video.currentTime, meant });
    this.#watch = watch;
    if (verdict === "nudge") this.#hls?.startLoad();
    if (verdict === "reload") this.#again();
  }
}
