/**
 * Door: the lines of a room. It asks the server for exactly as many events as it has drawn.
 *
 * A reader who scrolled up keeps what is there: nothing is drawn, so nothing is asked and nothing is sent. The same
 * holds for a hidden tab, because a hidden tab has no animation frames.
 *
 * The arrow keys go from line to line; Enter, a finger on a line or a click on its name choose it.
 * Events: `room-event` (each event, at once, but what others say), `line-chosen`, `viewers`, `unseen` (lines waiting below), `worth-saying` (for the screen
 * reader), `full` (no room for one more line of one's own), `take-back` (a refused line's text, or nothing: it was dropped; who has no place for it prevents it), `say-again`
 * (id and text), `unsent` (all lines of one's own that wait or were refused), `no-room` (the room cannot be watched).
 * @module
 */

import { news } from "../core/announcer.js";
import { momentMs } from "../core/broadcast_state.js";
import { again, drafted, emptyLog, hangsOnThisWatch, linesIn, next, readBy, reduce, refused, restored, ROW_KINDS, taken, takesDraft, WATCHED_ANEW, withdrawn } from "../core/chat_log.js";
import { BEHIND_MAX, drawn, nextDrawAt, startCredit } from "../core/credit.js";
import { isPinned } from "../core/pin.js";
import { keyGoesFirst, mostAsked } from "../net/hands.js";
import { onPulledDown } from "../net/pull.js";
import { t } from "../net/words.js";
import { draftRow, dropRow, lineRow } from "./chat_rows.js";
import { told } from "./chat_voice.js";

/** @typedef {import("../core/chat_log.js").RoomEvent} RoomEvent */
/** @typedef {import("../core/chat_log.js").Line} Line */

/** What a newcomer is shown of the conversation before. */
const HISTORY_LINES = 50;

export class ChatList extends HTMLElement {
  #log = emptyLog(null);
  #credit = startCredit();
  /** @type {RoomEvent[]} */
  #inbox = [];
  /** Events that need no row but were sent for credit all the same. */
  #rowless = 0;
  /** @type {{ request: (events: number) => void, cancel: () => void } | null} */
  #stream = null;
  /** @type {Map<string, { line: Line, row: HTMLElement }>} */
  #rows = new Map();
  #lines = document.createElement("div");
  #drafts = document.createElement("div");
  #drawnDrafts = this.#log.drafts;
  /** @type {Map<import("../core/chat_log.js").Draft, HTMLElement>} */
  #draftRows = new Map();
  #lastDrawMs = 0;
  #planned = 0;
  #paused = false;
  /** Where the list was scrolled to when that was looked at last. */
  #top = 0;
  /** When the room was first entered, by the house's clock; a reconnection enters nothing. */
  #enteredMs = Number.NaN;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** Whose room it is. */
  channel = "";
  /** Whether lines are shown that have no number yet, because the house's store is away. */
  local = true;
  /** @type {import("../core/emotes.js").Split} */
  #split = (text) => [text];

  constructor() {
    super();
    this.addEventListener("scroll", this.#onScroll, { passive: true });
    this.addEventListener("keydown", this.#onKey);
    this.addEventListener("click", this.#onClick);
    onPulledDown(this, () => this.#pause());
  }

  connectedCallback() {
    this.setAttribute("role", "log");
    this.setAttribute("aria-live", "off"); // A fast chat read aloud is noise; `worth-saying` is spoken elsewhere.
    this.setAttribute("aria-label", t("chat.log_label"));
    this.tabIndex = 0;
    this.replaceChildren(this.#lines, this.#drafts);
    this.#resized.observe(this);
  }

  disconnectedCallback() {
    this.#stream?.cancel();
    this.#stream = null;
    clearTimeout(this.#timer);
    cancelAnimationFrame(this.#planned);
    [this.#timer, this.#planned] = [undefined, 0];
    this.#resized.disconnect();
  }

  /**
   * Begin to watch.
   * @param {import("../net/wire.js").Wire} wire
   * @param {string} channel
   * @param {string | null} me
   */
  watch(wire, channel, me) {
    this.#stream?.cancel();
    this.channel = channel;
    this.#log = emptyLog(me);
    this.#credit = startCredit();
    this.#inbox = [];
    this.#rowless = 0;
    this.#enteredMs = Number.NaN;
    this.#draw();
    this.#stream = wire.stream("chat.watch", {
      body: () => {
        // What has arrived is not asked for again, drawn or not.
        const now = reduce(this.#log, this.#inbox);
        if (hangsOnThisWatch(now)) this.#watchedAnew();
        const { seq, epoch } = now;
        const { local } = this;
        return { channel, behind: BEHIND_MAX, epoch, ...(local ? { local } : {}), ...(seq === null ? { history: HISTORY_LINES } : { since: seq }) };
      },
      onEvent: (event) => {
        if (Number.isNaN(this.#enteredMs)) this.#enteredMs = momentMs(wire.hello?.now);
        this.#received(event);
      },
      onRefused: (problem) => this.#tell("no-room", problem),
    });
    this.#stream.request(this.#credit.window);
  }

  /** Nobody sent this for credit. */
  #watchedAnew() {
    this.#inbox.push(WATCHED_ANEW);
    this.#rowless -= 1;
    this.#plan();
  }

  /** @param {import("../core/chat_log.js").Log} log */
  #become(log) {
    const { drafts } = this.#log;
    this.#log = log;
    if (log.drafts !== drafts) this.#tell("unsent", log.drafts);
  }

  /** The reader logged in or out. @param {string | null} me */
  set me(me) {
    this.#log = readBy(this.#log, me);
  }

  /** How a text is told from the pictures in it. What is drawn already is drawn anew. @param {import("../core/emotes.js").Split} split */
  set split(split) {
    this.#split = split;
    this.#rows.clear();
    this.#lines.replaceChildren();
    this.#drawnDrafts = [];
    this.#draftRows.clear();
    this.#drafts.replaceChildren();
    this.#plan();
  }

  /** A line of one's own, before the server has seen it; false: there is no room for one more. @param {string} id @param {string} text */
  draft(id, text) {
    const takes = takesDraft(this.#log, id);
    if (takes) this.#become(drafted(this.#log, id, text));
    this.resume();
    return takes;
  }

  /** What was not said when the page was left. @param {readonly import("../core/chat_log.js").Draft[]} drafts */
  restore(drafts) {
    this.#become(restored(this.#log, drafts));
    this.#plan();
  }

  /** The house has taken a line. @param {string} id @param {number} seq 0: it has no number yet */
  take(id, seq) {
    this.#become(taken(this.#log, id, seq));
    this.#plan();
  }

  /** @param {string} id @param {string} code @param {number} retryAfterMs */
  refuse(id, code, retryAfterMs) {
    this.#become(refused(this.#log, id, code, retryAfterMs));
    this.#plan();
  }

  /** Back to the newest line. */
  resume() {
    this.#paused = false;
    this.#draw();
  }

  #pause() {
    if (this.#paused) return;
    this.#paused = true;
    this.#tellUnseen();
  }

  #toEnd() {
    this.scrollTop = this.scrollHeight;
    this.#top = this.scrollTop;
  }

  /** @param {RoomEvent} event */
  #received(event) {
    const { nickname } = /** @type {{ nickname?: unknown }} */ (event.from ?? {});
    // Of what others say nobody is told line by line: in a fast room that costs as much as drawing it.
    if (event.kind !== "said" || nickname === this.#log.me) this.#tell("room-event", event);
    // What was chosen has lost its number.
    if (event.kind === "epoch" && this.#log.epoch !== "" && this.#log.epoch !== event.epoch) this.#tell("line-chosen", null);
    if (ROW_KINDS.includes(event.kind)) {
      this.#inbox.push(event);
    } else {
      this.#rowless += 1;
      this.#become(next(this.#log, event));
      if (event.kind === "count") this.#tell("viewers", this.#log.viewers);
    }
    if (this.#paused) this.#tellUnseen();
    else this.#plan();
  }

  #plan() {
    if (this.#planned !== 0 || this.#timer !== undefined) return;
    const nowMs = performance.now();
    // The beat first, then the frame: frames without a beat draw half as many lines in the same time.
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#drawDue(performance.now());
    }, nextDrawAt(this.#lastDrawMs, nowMs) - nowMs);
  }

  /** @param {number} dueMs */
  #drawDue(dueMs) {
    this.#planned = requestAnimationFrame((frameMs) => {
      this.#planned = 0;
      if (keyGoesFirst(frameMs, dueMs)) this.#drawDue(dueMs);
      else if (!this.#paused) this.#draw();
    });
  }

  #draw() {
    const startedMs = performance.now();
    const sinceMs = startedMs - this.#lastDrawMs;
    const sent = this.#inbox.length + this.#rowless;
    const before = this.#log;
    this.#become(reduce(before, this.#inbox));
    this.#inbox = [];
    this.#rowless = 0;
    this.#drawLines();
    this.#drawDrafts();
    // Where the end is must be laid out to be known: not for an empty list.
    if (!this.#paused && this.#rows.size + this.#log.drafts.length > 0) this.#toEnd();
    this.#lastDrawMs = startedMs;
    this.#say(before.lines);
    this.#tellUnseen();
    // After the frame: layout and paint are most of the cost.
    const stream = this.#stream;
    setTimeout(() => {
      if (stream !== this.#stream) return; // Another room, another credit.
      const most = mostAsked(this.#credit.window);
      const { credit, ask } = drawn(this.#credit, { taken: sent, costMs: performance.now() - startedMs, sinceMs, most });
      this.#credit = credit;
      if (ask > 0) stream?.request(ask);
    }, 0);
  }

  #drawLines() {
    const kept = new Set(this.#log.lines.map((line) => line.key));
    for (const [key, { row }] of this.#rows) {
      if (kept.has(key)) continue;
      row.remove();
      this.#rows.delete(key);
    }
    const fresh = document.createDocumentFragment();
    for (const line of this.#log.lines) {
      const shown = this.#rows.get(line.key);
      if (shown?.line === line) continue;
      const row = lineRow(line, this.channel, this.#split, () => this.#sayAgain(line));
      if (shown === undefined) fresh.append(row);
      else shown.row.replaceWith(row);
      this.#rows.set(line.key, { line, row });
    }
    this.#lines.append(fresh);
    this.toggleAttribute("empty", this.#rows.size === 0 && this.#log.drafts.length === 0);
  }

  #drawDrafts() {
    // Only those that changed, and none is moved: a button in there may hold the focus.
    const { drafts, me } = this.#log;
    if (this.#drawnDrafts === drafts) return;
    this.#drawnDrafts = drafts;
    const rows = new Map(
      drafts.map((draft) => [draft, this.#draftRows.get(draft) ?? draftRow(draft, me ?? "", (act) => this.#act(draft, act), this.#split)]),
    );
    for (const [draft, row] of this.#draftRows) if (!rows.has(draft)) dropRow(row);
    [...rows.values()].forEach((row, index) => {
      const there = this.#drafts.children[index] ?? null;
      if (there !== row) this.#drafts.insertBefore(row, there);
    });
    this.#draftRows = rows;
  }

  /** @param {import("../core/chat_log.js").Draft} draft @param {"again" | "edit" | "drop"} act */
  #act({ id, text }, act) {
    if (act === "again") {
      this.draft(id, text);
      this.#tell("say-again", { id, text });
      return;
    }
    // It stays where it is while there is no field to write in.
    if (!this.#tell("take-back", act === "edit" ? text : "") && act === "edit") return;
    this.#become(withdrawn(this.#log, id));
    this.#plan();
  }

  /** @param {Line} line */
  #sayAgain(line) {
    if (!takesDraft(this.#log, line.id)) return void this.#tell("full", null);
    this.#become(again(this.#log, line));
    this.resume();
    this.#tell("say-again", { id: line.id, text: line.text });
  }

  /** @param {readonly Line[]} before */
  #say(before) {
    for (const line of news(before, this.#log.lines, this.#enteredMs)) this.#tell("worth-saying", told(line));
  }

  #tellUnseen() {
    const unseen = this.#paused ? linesIn(this.#inbox) : 0;
    // All credit is used: more may have been said than was sent.
    const more = this.#inbox.length + this.#rowless >= this.#credit.window;
    this.#tell("unseen", { paused: this.#paused, unseen, more });
  }

  #onScroll = () => {
    const moved = this.scrollTop - this.#top;
    this.#top = this.scrollTop;
    // A list that became lower is not at its end either, and nobody has gone up in it: a notice came, or a banner.
    if (isPinned(this)) moved > 0 && this.#paused && this.resume();
    else if (moved < 0) this.#pause();
  };

  /** @param {KeyboardEvent} event */
  #onKey = (event) => {
    if (event.target instanceof HTMLButtonElement) return; // Of a refused line.
    const row = event.target instanceof HTMLElement && event.target !== this ? event.target : null;
    const all = /** @type {HTMLElement[]} */ ([...this.#lines.querySelectorAll(".line[tabindex]")]);
    const at = row === null ? all.length : all.indexOf(row);
    switch (event.key) {
      case "ArrowUp":
        this.#select(all[Math.max(0, at - 1)]);
        break;
      case "ArrowDown":
        this.#select(all[at + 1]);
        break;
      case "Enter":
        if (row !== null) this.#choose(row);
        break;
      case "End":
      case "Escape":
        this.focus({ preventScroll: true });
        this.resume();
        break;
      default:
        return;
    }
    event.preventDefault();
  };

  /** While a line is looked at, the list stands still. @param {HTMLElement | undefined} row */
  #select(row) {
    if (row === undefined) return;
    this.#pause();
    row.focus();
  }

  /** @param {MouseEvent} event */
  #onClick = (event) => {
    if (!(event.target instanceof Element)) return;
    const isTouch = event instanceof PointerEvent && event.pointerType !== "mouse";
    const row = event.target.closest(isTouch ? ".line[tabindex]" : ".line[tabindex] .name")?.closest(".line");
    if (row instanceof HTMLElement && event.target.closest("button") === null) this.#choose(row);
  };

  /** @param {HTMLElement} row */
  #choose(row) {
    for (const { line, row: shown } of this.#rows.values()) {
      if (shown !== row || line.removed || line.nickname === "") continue;
      // Its number as it is now: that it began anew may have arrived, and not be drawn while the list stands still.
      const now = reduce(this.#log, this.#inbox).lines.find(({ key }) => key === line.key);
      this.#tell("line-chosen", now ?? { ...line, seq: 0 });
    }
  }

  /** A window that grows or shrinks keeps the newest line in view. */
  #resized = new ResizeObserver(() => {
    if (!this.#paused) this.#toEnd();
  });

  /** @param {string} name @param {unknown} detail */
  #tell(name, detail) {
    return this.dispatchEvent(new CustomEvent(name, { detail, cancelable: true }));
  }
}

customElements.define("chat-list", ChatList);
