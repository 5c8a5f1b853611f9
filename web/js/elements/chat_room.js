/**
 * Door: the conversation beside the picture: the lines, who is here, and the field to join in. It sends what is typed there.
 *
 * Events: `room-event` passes on what the room says about the broadcast.
 * @module
 */

import { createRef, html, nothing, ref } from "/js/vendor/lit.js";
import { pieces } from "../core/emotes.js";
import { logInPath } from "../core/next_path.js";
import { asProblem } from "../core/problem.js";
import { mutedForMs, newStanding, ruled } from "../core/room_rules.js";
import { me } from "../net/api.js";
import { breath } from "../net/breath.js";
import { emotesOf } from "../net/emotes.js";
import { identity } from "../net/identity.js";
import { newId } from "../net/ids.js";
import { keepLines, keptLines } from "../net/kept_draft.js";
import { isAnothers } from "../net/wire.js";
import { errorText, format, t } from "../net/words.js";
import "./chat_away.js";
import "./chat_composer.js";
import "./chat_list.js";
import "./chat_voice.js";
import { windowLink } from "./chat_window.js";
import * as actIcons from "./act_icons.js";
import * as icons from "./icons.js";
import { LightElement } from "./light_element.js";
import { demands, notice } from "./room_notices.js";

/** A browser's timer runs off at once above this. */
const TIMER_MS_MAX = 2 ** 31 - 1;
/** Over so long a whole room asks for its pictures anew; their owner at once. */
const EMOTES_MS_MAX = 5_000;

export class ChatRoom extends LightElement {
  static properties = {
    viewers: { state: true },
    unseen: { state: true },
    closed: { state: true },
    standing: { state: true },
    chosen: { state: true },
    ruling: { state: true },
    emotes: { state: true },
  };

  /** @type {import("lit/directives/ref.js").Ref<import("./chat_list.js").ChatList>} */
  #list = createRef();
  /** @type {import("lit/directives/ref.js").Ref<import("./chat_composer.js").ChatComposer>} */
  #composer = createRef();
  /** @type {import("../net/wire.js").Wire | null} */
  #wire = null;
  /** @type {import("lit/directives/ref.js").Ref<import("./chat_voice.js").ChatVoice>} */
  #voice = createRef();
  #channel = "";
  #me = identity.nickname;
  /** Whose lines, for which room, wait in the list; "" before a member was seen here. */
  #unsent = "";
  /** Whether the house was asked if this member moderates here. */
  #asked = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #unmuting;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #asking;

  constructor() {
    super();
    /** @type {number | null} */
    this.viewers = null;
    this.unseen = { paused: false, unseen: 0, more: false };
    /** Why the room cannot be watched. @type {unknown} */
    this.closed = null;
    this.standing = newStanding(null, "");
    /** The line that something is to be done with. @type {import("../core/chat_log.js").Line | null} */
    this.chosen = null;
    /** Whether the room's rules are open to be changed. */
    this.ruling = false;
    /** What stands for a code here; null until that is known. @type {import("../core/emotes.js").Emotes | null} */
    this.emotes = null;
  }

  /** Enter the room. @param {import("../net/wire.js").Wire} wire @param {string} channel */
  async enter(wire, channel) {
    this.#wire = wire;
    this.#channel = channel;
    this.standing = newStanding(identity.nickname, channel);
    wire.addEventListener("state", this.#changed);
    identity.addEventListener("change", this.#changed);
    void this.#askEmotes(); // First: lines that come before their pictures are drawn twice.
    await this.updateComplete;
    this.#list.value?.watch(wire, channel, identity.nickname);
    this.#restore();
    this.requestUpdate();
  }

  /** The conversation does not wait for its pictures, nor end without them. */
  async #askEmotes() {
    const found = await emotesOf(this.#channel).catch(() => null);
    this.emotes = found ?? this.emotes ?? new Map();
    if (found !== null && this.#list.value !== undefined) this.#list.value.split = (text) => pieces(text, found);
  }

  /** Where words wait that are not sent yet: one member's, for this room. */
  get #place() {
    return `${this.#me ?? ""}.${this.#channel}`;
  }

  /** A member's lines that were not said stay in view when the login ends, and are there again when they come back. */
  #restore() {
    const list = this.#list.value;
    if (this.#me === null || this.#channel === "" || list === undefined || this.#unsent === this.#place) return;
    this.#unsent = this.#place;
    list.restore(keptLines(this.#place));
  }

  disconnectedCallback() {
    this.#wire?.removeEventListener("state", this.#changed);
    identity.removeEventListener("change", this.#changed);
    for (const timer of [this.#unmuting, this.#asking]) clearTimeout(timer);
    super.disconnectedCallback();
  }

  #changed = () => {
    if (this.#me !== identity.nickname) {
      this.#me = identity.nickname;
      this.#asked = false;
      this.standing = { ...newStanding(this.#me, this.#channel), rules: this.standing.rules };
    }
    if (this.#list.value !== undefined) this.#list.value.me = identity.nickname;
    this.#restore();
    this.requestUpdate();
  };

  render() {
    return html`
      <header>
        <h2>${t("chat.title")}</h2>
        ${this.standing.moderates ? this.#rule() : nothing}
        ${this.viewers === null ? nothing : html`<span class="count" title=${t("live.viewers", { count: this.viewers })}>${icons.eye}<span
              class="visually-hidden">${t("live.viewers", { count: this.viewers })}</span><span
              aria-hidden="true">${format.compact(this.viewers)}</span></span>`}
        ${windowLink(this.#channel)}
      </header>
      ${this.ruling
        ? html`<chat-rules .wire=${this.#wire} .channel=${this.#channel} .rules=${this.standing.rules} @done=${this.#toggleRuling}></chat-rules>`
        : nothing}
      ${notice(this.standing.rules)}
      <div class="lines">
        <chat-list ${ref(this.#list)} @room-event=${this.#onRoomEvent} @viewers=${this.#onViewers} @unseen=${this.#onUnseen}
          @worth-saying=${this.#onWorthSaying} @take-back=${this.#onTakeBack} @say-again=${this.#onSayAgain} @unsent=${this.#onUnsent}
          @no-room=${this.#onNoRoom} @full=${this.#onFull} @line-chosen=${this.#onChosen}></chat-list>
        <p class="nobody">${t("chat.empty")}</p>
        ${this.unseen.paused ? this.#newer() : nothing}
      </div>
      <chat-voice ${ref(this.#voice)}></chat-voice>
      <chat-acts .line=${this.chosen} .me=${identity.nickname} .channel=${this.#channel} .wire=${this.#wire}
        .moderates=${this.standing.moderates} @answer=${this.#onAnswer} @done=${this.#onActed}></chat-acts>
      <chat-away .wire=${this.#wire} @worth-saying=${this.#onWorthSaying}></chat-away>${this.#state()} ${demands(this.standing.rules)}
      ${identity.nickname === null ? this.#guest() : this.#speak()}
    `;
  }

  #rule() {
    const label = t("rules.open");
    return html`<button class="icon-button rule" type="button" aria-label=${label} title=${label} aria-expanded=${this.ruling}
      @click=${this.#toggleRuling}>${actIcons.shield}</button>`;
  }

  #toggleRuling = () => {
    void import("./chat_rules.js");
    this.ruling = !this.ruling;
    /** @type {HTMLElement | null} */ (this.querySelector(".rule"))?.focus(); // Also when they are closed from within.
  };

  /** @param {number} forMs */
  #muted(forMs) {
    clearTimeout(this.#unmuting);
    const ends = Number.isFinite(forMs);
    if (ends) this.#unmuting = setTimeout(() => this.requestUpdate(), Math.min(forMs + 100, TIMER_MS_MAX));
    return html`<p class="muted" role="status" tabindex="-1">${ends ? t("chat.muted_until", { time: format.clock(Date.now() + forMs) }) : t("error.chat.banned")}</p>`;
  }

  #newer() {
    const { unseen, more } = this.unseen;
    const words = unseen === 0 ? t("chat.to_newest") : t(more ? "chat.newer_more" : "chat.newer", { count: unseen });
    return html`<button class="newer" type="button" @click=${() => this.#list.value?.resume()}>${actIcons.down}${words}</button>`;
  }

  #state() {
    if (this.closed !== null) return html`<p class="state" role="alert">${errorText(this.closed)}</p>`;
    const state = this.#wire?.state ?? "idle";
    if (state === "open" || state === "idle") return nothing;
    if (isAnothers(this.#wire?.problem)) return html`<p class="state" role="alert">${errorText(this.#wire?.problem)}</p>`;
    return html`<p class="state" role="status"><span class="spinner"></span>${t(`chat.state_${state}`)}</p>`;
  }

  #guest() {
    return html`<div class="guest"><p>${t("chat.guest")}</p><a class="button" href=${logInPath(location.pathname)}>${t("nav.log_in")}</a></div>`;
  }

  #speak() {
    const forMs = mutedForMs(this.standing, Date.now());
    if (forMs !== null) return this.#muted(forMs);
    // Lines of one's own have their place first: they go into the list.
    return html`<chat-composer ${ref(this.#composer)} .place=${this.#unsent} .emotes=${this.emotes} @say=${this.#onSay}></chat-composer>`;
  }

  /** What the list has no room for stays with its writer. @param {CustomEvent<string>} event */
  #onSay = (event) => {
    const line = { id: newId(), text: event.detail };
    if (this.#list.value?.draft(line.id, line.text)) void this.#say(line);
    else event.preventDefault();
  };

  #onFull = () => this.#composer.value?.full();

  /** @param {{ id: string, text: string }} line */
  async #say({ id, text }) {
    try {
      // The answer says no more than "taken": the line itself comes back by the room, as everyone's does.
      const answer = await this.#wire?.call("chat.say", { channel: this.#channel, id, text, local: true }, this.#me);
      this.#list.value?.take(id, Number(answer?.seq) || 0);
    } catch (error) {
      const { code, retryAfterMs } = asProblem(error);
      this.#list.value?.refuse(id, code, retryAfterMs);
    }
  }

  /** The same id: within a minute, what came through after all is not said twice. @param {CustomEvent<{ id: string, text: string }>} event */
  #onSayAgain = ({ detail }) => {
    (this.#composer.value ?? this.#list.value)?.focus({ preventScroll: true }); // What was pressed is gone.
    void this.#say(detail);
  };

  /** @param {CustomEvent<readonly import("../core/chat_log.js").Draft[]>} event */
  #onUnsent = ({ detail }) => {
    if (this.#unsent !== "") keepLines(this.#unsent, detail);
  };

  /** @param {CustomEvent<import("../core/chat_log.js").RoomEvent>} event */
  #onRoomEvent = ({ detail }) => {
    this.standing = ruled(this.standing, detail, identity.nickname);
    if (detail.kind === "drain") this.#wire?.renew(Number(detail.retry_after_ms) || 0);
    if (detail.kind === "emotes") {
      clearTimeout(this.#asking);
      this.#asking = setTimeout(() => this.#askEmotes(), identity.nickname === this.#channel ? 0 : Math.random() * EMOTES_MS_MAX);
    }
    this.tell("room-news", detail);
  };

  /** @param {CustomEvent<import("../core/chat_log.js").Line | null>} event */
  #onChosen = async ({ detail }) => {
    await Promise.all([import("./chat_acts.js"), this.#askStanding()]);
    this.chosen = detail;
  };

  /** The room does not tell a moderator so before the first line: the house is asked once. */
  async #askStanding() {
    if (identity.nickname === null || this.standing.moderates || this.#asked) return;
    this.#asked = true;
    const moderates = await me().then((mine) => mine.moderates.includes(this.#channel), () => false);
    if (moderates) this.standing = { ...this.standing, moderates };
  }

  #onActed = () => {
    this.chosen = null;
    this.#list.value?.focus({ preventScroll: true });
  };

  /** @param {CustomEvent<string>} event */
  #onAnswer = ({ detail }) => {
    this.#list.value?.resume();
    this.#composer.value?.mention(detail);
  };

  /** @param {CustomEvent<number>} event */
  #onViewers = ({ detail }) => {
    this.viewers = detail;
  };

  /** @param {CustomEvent<{ paused: boolean, unseen: number, more: boolean }>} event */
  #onUnseen = ({ detail }) => {
    const { paused, unseen, more } = this.unseen;
    if (detail.paused !== paused || detail.unseen !== unseen || detail.more !== more) this.unseen = detail;
  };

  /** @param {CustomEvent<string>} event */
  #onWorthSaying = ({ detail }) => this.#voice.value?.hear(detail);

  /** Empty: it is not wanted any more. @param {CustomEvent<string>} event */
  #onTakeBack = (event) => {
    const composer = this.#composer.value;
    if (composer !== undefined) return composer.takeBack(event.detail);
    event.preventDefault();
    /** @type {HTMLElement | null} */ (this.querySelector(".guest a, .muted"))?.focus(); // Which say why.
  };

  /** @param {CustomEvent<import("../core/problem.js").Problem>} event */
  #onNoRoom = ({ detail }) => {
    this.closed = detail;
  };
}

await breath(); // To draw it the first time is a task's work, and so is all that was done before.
customElements.define("chat-room", ChatRoom);
