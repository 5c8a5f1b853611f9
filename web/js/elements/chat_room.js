/**
 * Door: the conversation beside the picture: the lines, who is here, and the field to join in.
 *
 * Events: `room-event` passes on what the room says about the broadcast.
 * @module
 */

import { createRef, html, nothing, ref } from "/js/vendor/lit.js";
import { heard, quiet, speak } from "../core/announcer.js";
import { CHARACTERS_WARN, CHARACTERS_MAX, chatLine } from "../core/chat_text.js";
import { logInPath } from "../core/next_path.js";
import { asProblem } from "../core/problem.js";
import { identity } from "../net/identity.js";
import { newId } from "../net/ids.js";
import { errorText, format, t } from "../net/words.js";
import "./chat_list.js";
import * as actIcons from "./act_icons.js";
import * as icons from "./icons.js";
import { LightElement } from "./light_element.js";

export class ChatRoom extends LightElement {
  static properties = {
    viewers: { state: true },
    unseen: { state: true },
    spoken: { state: true },
    closed: { state: true },
    left: { state: true },
  };

  /** @type {import("lit/directives/ref.js").Ref<import("./chat_list.js").ChatList>} */
  #list = createRef();
  /** @type {import("lit/directives/ref.js").Ref<HTMLTextAreaElement>} */
  #field = createRef();
  /** @type {import("../net/wire.js").Wire | null} */
  #wire = null;
  #announcer = quiet();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #speaking;
  #channel = "";

  constructor() {
    super();
    /** @type {number | null} */
    this.viewers = null;
    this.unseen = { paused: false, unseen: 0, more: false };
    this.spoken = "";
    /** Why the room cannot be watched. @type {unknown} */
    this.closed = null;
    this.left = CHARACTERS_MAX;
  }

  /** Enter the room. @param {import("../net/wire.js").Wire} wire @param {string} channel */
  async enter(wire, channel) {
    this.#wire = wire;
    this.#channel = channel;
    wire.addEventListener("state", this.#changed);
    identity.addEventListener("change", this.#changed);
    await this.updateComplete;
    this.#list.value?.watch(wire, channel, identity.nickname);
    this.requestUpdate();
  }

  disconnectedCallback() {
    this.#wire?.removeEventListener("state", this.#changed);
    identity.removeEventListener("change", this.#changed);
    clearTimeout(this.#speaking);
    super.disconnectedCallback();
  }

  #changed = () => {
    if (this.#list.value !== undefined) this.#list.value.me = identity.nickname;
    this.requestUpdate();
  };

  render() {
    return html`
      <header>
        <h2>${t("chat.title")}</h2>
        ${this.viewers === null
          ? nothing
          : html`<span class="count" title=${t("live.viewers", { count: this.viewers })}>${icons.eye}<span
              class="visually-hidden">${t("live.viewers", { count: this.viewers })}</span><span
              aria-hidden="true">${format.compact(this.viewers)}</span></span>`}
      </header>
      <div class="lines">
        <chat-list ${ref(this.#list)} @room-event=${this.#onRoomEvent} @viewers=${this.#onViewers} @unseen=${this.#onUnseen}
          @worth-saying=${this.#onWorthSaying} @take-back=${this.#onTakeBack} @no-room=${this.#onNoRoom}></chat-list>
        <p class="nobody">${t("chat.empty")}</p>
        ${this.unseen.paused ? this.#newer() : nothing}
      </div>
      <p class="visually-hidden" aria-live="polite">${this.spoken}</p>
      ${this.#state()}
      ${identity.nickname === null ? this.#guest() : this.#composer()}
    `;
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
    return html`<p class="state" role="status"><span class="spinner"></span>${t(`chat.state_${state}`)}</p>`;
  }

  #guest() {
    return html`<div class="guest">
      <p>${t("chat.guest")}</p>
      <a class="button" href=${logInPath(location.pathname)}>${t("nav.log_in")}</a>
    </div>`;
  }

  #composer() {
    const { left } = this;
    const tight = left <= CHARACTERS_MAX - CHARACTERS_WARN;
    return html`<form class="composer" @submit=${this.#onSubmit}>
      <label class="visually-hidden" for="chat-text">${t("chat.label")}</label>
      <textarea id="chat-text" ${ref(this.#field)} rows="1" placeholder=${t("chat.placeholder")} enterkeyhint="send"
        autocomplete="off" aria-describedby="chat-left" aria-invalid=${left < 0 ? "true" : "false"}
        @input=${this.#onInput} @keydown=${this.#onKey}></textarea>
      <span id="chat-left" class="left" ?hidden=${!tight}>${tight ? t("chat.left", { count: left }) : nothing}</span>
      <button class="icon-button send" type="submit" aria-label=${t("chat.send")} title=${t("chat.send")}>${actIcons.send}</button>
    </form>`;
  }

  #onInput = () => {
    this.left = chatLine(this.#field.value?.value ?? "").left;
  };

  /** Enter ends a Hangul syllable before it ends a line. @param {KeyboardEvent} event */
  #onKey = (event) => {
    // 229: Safari says that composing is over one event too early.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    void this.#send();
  };

  /** @param {SubmitEvent} event */
  #onSubmit = (event) => {
    event.preventDefault();
    void this.#send();
  };

  async #send() {
    const field = this.#field.value;
    const wire = this.#wire;
    if (field === undefined || wire === null) return;
    const { text, fits } = chatLine(field.value);
    if (!fits) return;
    const id = newId();
    field.value = "";
    this.#onInput();
    field.focus();
    this.#list.value?.draft(id, text);
    try {
      // The answer says no more than "taken": the line itself comes back by the room, as everyone's does.
      await wire.call("chat.say", { channel: this.#channel, id, text });
    } catch (error) {
      const { code, retryAfterMs } = asProblem(error);
      this.#list.value?.refuse(id, code, retryAfterMs);
    }
  }

  /** @param {CustomEvent<import("../core/chat_log.js").RoomEvent>} event */
  #onRoomEvent = ({ detail }) => {
    if (detail.kind === "drain") this.#wire?.renew(Number(detail.retry_after_ms) || 0);
    this.tell("room-news", detail);
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
  #onWorthSaying = ({ detail }) => {
    this.#announcer = heard(this.#announcer, detail);
    this.#speak();
  };

  #speak = () => {
    clearTimeout(this.#speaking);
    const { announcer, text, dueInMs } = speak(this.#announcer, performance.now());
    this.#announcer = announcer;
    if (text !== null) this.spoken = text;
    if (dueInMs !== null) this.#speaking = setTimeout(this.#speak, dueInMs);
  };

  /** The text goes before what has been typed since: nothing is lost. @param {CustomEvent<string>} event */
  #onTakeBack = ({ detail }) => {
    const field = this.#field.value;
    if (field === undefined) return;
    field.value = field.value === "" ? detail : `${detail} ${field.value}`;
    this.#onInput();
    field.focus();
  };

  /** @param {CustomEvent<import("../core/problem.js").Problem>} event */
  #onNoRoom = ({ detail }) => {
    this.closed = detail;
  };
}

customElements.define("chat-room", ChatRoom);
