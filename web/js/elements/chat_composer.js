/**
 * Door: the field to join the conversation in, with what can be picked into it. What is typed there is kept by the tab.
 *
 * Events: `say` with a line that fits; whoever cannot take it prevents it, and the words stay.
 * @module
 */

import { createRef, html, nothing, ref } from "/js/vendor/lit.js";
import { DRAFTS_MAX } from "../core/chat_log.js";
import { CHARACTERS_MAX, CHARACTERS_WARN, chatLine } from "../core/chat_text.js";
import { picked } from "../core/emotes.js";
import { keepDraft, keptDraft } from "../net/kept_draft.js";
import { t } from "../net/words.js";
import * as actIcons from "./act_icons.js";
import { LightElement } from "./light_element.js";

export class ChatComposer extends LightElement {
  static properties = {
    place: {},
    emotes: { attribute: false },
    left: { state: true },
    crowded: { state: true },
    pasted: { state: true },
    picking: { state: true },
  };

  /** @type {import("lit/directives/ref.js").Ref<HTMLTextAreaElement>} */
  #field = createRef();
  #hasty = false; // Enter was pressed before the room was known.

  constructor() {
    super();
    /** Where words wait that are not sent yet: one member's, for this room. "" until the room is known. */
    this.place = "";
    /** What stands for a code here; null until that is known. @type {import("../core/emotes.js").Emotes | null} */
    this.emotes = null;
    this.left = CHARACTERS_MAX;
    /** Whether there was no room for one more line of one's own. */
    this.crowded = false;
    /** Whether a picture was to be pasted. */
    this.pasted = false;
    /** Whether the pictures are open to be picked. */
    this.picking = false;
  }

  /** @param {Map<string, unknown>} changed */
  updated(changed) {
    const field = this.#field.value;
    if (!changed.has("place") || this.place === "" || field === undefined) return;
    // What was typed before the room was known goes before what was kept. Never what another member has typed.
    const another = (changed.get("place") ?? "") !== "";
    if (another || field.value === "") field.value = keptDraft(this.place);
    const hasty = this.#hasty;
    if (another || field.value !== "") this.#onInput();
    if (hasty && !another) this.#send();
  }

  render() {
    const { left } = this;
    const tight = left <= CHARACTERS_MAX - CHARACTERS_WARN;
    return html`<emote-picker .emotes=${this.emotes} .open=${this.picking} @picked=${this.#onPicked} @done=${this.#togglePicking}></emote-picker>
    ${this.crowded ? html`<p class="state" role="status">${t("chat.unsent_full", { count: DRAFTS_MAX })}</p>` : nothing}
    <form class="composer" @submit=${this.#onSubmit}>
      <button class="icon-button pick" type="button" aria-label=${t("chat.emotes")} title=${t("chat.emotes")}
        aria-expanded=${this.picking} @click=${this.#togglePicking}>${actIcons.smile}</button>
      <label class="visually-hidden" for="chat-text">${t("chat.label")}</label>
      <textarea id="chat-text" ${ref(this.#field)} rows="1" placeholder=${t("chat.placeholder")} enterkeyhint="send"
        autocomplete="off" aria-describedby="chat-left" aria-invalid=${left < 0 ? "true" : "false"}
        @input=${this.#onInput} @keydown=${this.#onKey} @paste=${this.#onPaste}></textarea>
      <span id="chat-left" class="left" ?hidden=${!tight}>${left < 0 ? t("chat.over", { count: -left }) : tight ? t("chat.left", { count: left }) : nothing}</span>
      <p class="note" role="status" ?hidden=${!this.pasted}>${this.pasted ? t("chat.no_pictures") : nothing}</p>
      <button class="icon-button send" type="submit" aria-label=${t("chat.send")} title=${t("chat.send")}>${actIcons.send}</button>
    </form>`;
  }

  /** @param {FocusOptions} [options] */
  focus(options) {
    this.#field.value?.focus(options);
  }

  /** Speak to somebody. @param {string} nickname */
  mention(nickname) {
    const field = this.#field.value;
    if (field === undefined) return;
    const name = `@${nickname} `;
    if (!field.value.includes(name)) field.value = `${name}${field.value}`;
    this.#onInput();
    // After the panel has given the focus back to the list.
    requestAnimationFrame(() => field.focus());
  }

  /** The text goes before what has been typed since: nothing is lost. @param {string} text "" only brings one here */
  takeBack(text) {
    const field = this.#field.value;
    if (field === undefined) return;
    field.value = [text, field.value].filter((words) => words !== "").join(" ");
    this.#onInput();
    field.focus();
  }

  /** No more lines can wait: one has to be sent or dropped first. */
  full() {
    this.crowded = true;
  }

  #togglePicking = () => {
    this.picking = !this.picking;
    if (this.picking) void import("./emote_picker.js");
    else this.focus();
  };

  /** Where one was writing. @param {CustomEvent<string>} event */
  #onPicked = ({ detail }) => {
    const field = this.#field.value;
    if (field === undefined) return;
    const { selectionStart, selectionEnd } = field;
    field.setRangeText(picked(field.value.slice(0, selectionStart), detail), selectionStart, selectionEnd, "end");
    this.#onInput();
  };

  #onInput = () => {
    const typed = this.#field.value?.value ?? "";
    this.left = chatLine(typed).left;
    this.crowded = this.pasted = this.#hasty = false;
    if (this.place !== "") keepDraft(this.place, typed);
  };

  /** A picture cannot be sent: said, instead of nothing happening. @param {ClipboardEvent} event */
  #onPaste = (event) => {
    const { files, types } = event.clipboardData ?? {};
    this.pasted = (files?.length ?? 0) > 0 && !types?.includes("text/plain");
  };

  /** Enter ends a Hangul syllable before it ends a line. @param {KeyboardEvent} event */
  #onKey = (event) => {
    // 229: Safari says that composing is over one event too early.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.#send();
  };

  /** @param {SubmitEvent} event */
  #onSubmit = (event) => {
    event.preventDefault();
    this.#send();
  };

  #send() {
    const field = this.#field.value;
    this.#hasty = this.place === "";
    if (field === undefined || this.#hasty) return;
    const { text, fits } = chatLine(field.value);
    if (!fits) return;
    // First, so that the tab keeps it when this is the page's last moment.
    if (this.dispatchEvent(new CustomEvent("say", { detail: text, cancelable: true }))) {
      field.value = "";
      this.#onInput();
    } else {
      this.full();
    }
    field.focus();
  }
}

customElements.define("chat-composer", ChatComposer);
