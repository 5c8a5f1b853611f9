/**
 * Core: the chat as a list of at most LINES_MAX lines, and the lines of one's own that are still on their way.
 * @module
 */

import { mentions } from "./chat_text.js";

/** About 460 DOM nodes: more are scrolled back to by nobody in a live chat, and cost every draw. */
export const LINES_MAX = 150;
/** Lines of one's own that wait or were refused. Whoever has so many sends or drops one before the next: none goes by itself. */
export const DRAFTS_MAX = 20;
/** Kinds that become rows or change what rows are; the others are news for the page and are told at once. */
export const ROW_KINDS = Object.freeze(["said", "donated", "gap", "removed", "epoch", "lapsed", "back"]);
/** Another part of the house may answer now than the one that told of lines without a number. */
export const WATCHED_ANEW = Object.freeze({ kind: "watched_anew" });

/** Kinds that are no lines to scroll down to. */
const LINELESS = Object.freeze(["removed", "epoch", "lapsed", "back", WATCHED_ANEW.kind]);
/** So begin the keys of lines that never had a number. */
const UNNUMBERED = "local:";

/**
 * @typedef {object} Line
 * @property {string} key unlike any other in this log
 * @property {"said" | "donated" | "gap"} kind
 * @property {number} seq its number in the room; 0 for a gap, while it has none, and when the numbers have begun anew since
 * @property {string} id of the message; "" for a gap
 * @property {string} nickname
 * @property {readonly string[]} roles
 * @property {string} text "" when it was removed
 * @property {string} at
 * @property {number} points of a donation
 * @property {number} skipped lines of a gap; 0 if nobody knows how many
 * @property {boolean} mine
 * @property {boolean} mentioned it speaks to the reader
 * @property {boolean} removed
 * @property {boolean} local it has no number yet, because the house's store is away: those connected to one part of it see it
 * @property {boolean} lapsed that was so for too long: it will not come to the others
 */
/**
 * @typedef {object} Draft
 * @property {string} id
 * @property {string} text
 * @property {string | null} code null while it is on its way
 * @property {number} retryAfterMs
 * @property {number} [seq] the house has it, under this number; 0: under none yet
 */
/** @typedef {Record<string, unknown> & { kind: string }} RoomEvent */
/**
 * @typedef {object} Log
 * @property {string | null} me the reader's nickname; null for a guest
 * @property {readonly Line[]} lines oldest first
 * @property {readonly Draft[]} drafts
 * @property {number | null} seq the newest event's number: where to go on after a reconnection
 * @property {string} epoch of which numbers they are; "" before the house said so
 * @property {number | null} viewers
 */

/** @param {string | null} me @returns {Log} */
export function emptyLog(me) {
  return { me, lines: [], drafts: [], seq: null, epoch: "", viewers: null };
}

/** @param {Log} log @param {RoomEvent} event @returns {Log} */
export function next(log, event) {
  return reduce(log, [event]);
}

/**
 * Many events at once, as one draw takes them. Unknown kinds are left alone: the house may learn new ones first.
 * @param {Log} log
 * @param {readonly RoomEvent[]} events
 * @returns {Log}
 */
export function reduce(log, events) {
  const lines = [...log.lines];
  const keys = new Set(lines.map((line) => line.key));
  let { drafts, seq, epoch, viewers } = log;

  for (const event of events) {
    switch (event.kind) {
      case "said":
      case "donated": {
        const line = lineOf(event, log.me);
        // A reconnection may bring a line again. The id is in the key, so that a room whose numbers began anew is not dumb.
        if (keys.has(line.key)) {
          renumber(lines, line);
          break;
        }
        const before = sameLine(lines, line);
        if (before !== undefined) {
          if (line.local && hadNumber(before)) break;
          // Seen without a number, it stands where its number says, or where it is held now.
          lines.splice(lines.indexOf(before), 1);
          keys.delete(before.key);
        }
        keys.add(line.key);
        lines.push(before?.removed ? { ...line, text: "", removed: true } : line);
        if (line.mine) drafts = without(drafts, (draft) => draft.id === line.id);
        break;
      }
      case "gap":
        addGap(lines, event);
        break;
      case "count":
        viewers = number(event.viewers);
        break;
      case "removed":
        remove(lines, event);
        break;
      case "epoch":
        if (epoch !== "" && event.epoch !== epoch) {
          beginAnew(lines, string(event.epoch));
          drafts = lost(drafts, ({ seq = 0 }) => seq > 0);
          seq = 0;
        }
        epoch = string(event.epoch);
        break;
      case "lapsed":
        lapse(lines, event);
        break;
      case "watched_anew":
        lines.forEach((line, index) => (lines[index] = line.local ? { ...line, local: false, lapsed: true } : line));
        drafts = lost(drafts, (draft) => draft.seq === 0);
        break;
      case "back":
        lines.forEach((line, index) => (lines[index] = line.local ? { ...line, local: false } : line));
        break;
      case "refused":
        drafts = withCode(drafts, string(event.id), string(event.code) || "internal", number(event.retry_after_ms));
        break;
      default:
    }
    if (typeof event.seq === "number") seq = event.seq;
    // Twice the bound, then once: a burst of thousands is not copied at every line.
    if (lines.length > 2 * LINES_MAX) forget(lines, keys);
  }
  forget(lines, keys);
  return { ...log, lines, drafts: notPast(drafts, seq), seq, epoch, viewers };
}

/**
 * A line of one's own, shown at once and confirmed by the room's echo of its id. Ask `takesDraft` first.
 * @param {Log} log @param {string} id @param {string} text @returns {Log}
 */
export function drafted(log, id, text) {
  const others = log.drafts.filter((draft) => draft.id !== id);
  return { ...log, drafts: [...others, { id, text, code: null, retryAfterMs: 0 }] };
}

/** Is there a place for one more, or is this one of them? @param {Log} log @param {string} id */
export function takesDraft({ drafts }, id) {
  return drafts.length < DRAFTS_MAX || drafts.some((draft) => draft.id === id);
}

/** @param {Log} log @param {string} id @param {string} code @param {number} [retryAfterMs] @returns {Log} */
export function refused(log, id, code, retryAfterMs = 0) {
  return { ...log, drafts: withCode(log.drafts, id, code, retryAfterMs) };
}

/** Does nobody know whether the house has taken it? @param {Draft} draft */
export function isUnsure({ code }) {
  return ["wire.lost", "wire.timeout", "store.unknown"].includes(code ?? "");
}

/** Could the house take the same words another time? @param {Draft} draft */
export function isWorthAgain({ code }) {
  return !["chat.empty", "chat.too_long", "chat.blocked", "chat.taken_back"].includes(code ?? "");
}

/** What this member had not said when the page was left. @param {Log} log @param {readonly Draft[]} drafts @returns {Log} */
export function restored(log, drafts) {
  return { ...log, drafts };
}

/** The writer takes a refused line back, to change it or to drop it. @param {Log} log @param {string} id @returns {Log} */
export function withdrawn(log, id) {
  return { ...log, drafts: without(log.drafts, (draft) => draft.id === id) };
}

/** A line that may not have come to the others is sent again, by its own id. Ask `takesDraft` first. @param {Log} log @param {Line} line @returns {Log} */
export function again(log, { key, id, text }) {
  return drafted({ ...log, lines: log.lines.filter((line) => line.key !== key) }, id, text);
}

/**
 * The house has a line, and under which number.
 * @param {Log} log @param {string} id @param {number} seq 0: none yet @returns {Log}
 */
export function taken(log, id, seq) {
  return { ...log, drafts: notPast(changed(log.drafts, (draft) => draft.id === id, { seq }), log.seq) };
}

/** Is there a line that only the part of the house knows which is watched now? @param {Log} log */
export function hangsOnThisWatch({ lines, drafts }) {
  return lines.some((line) => line.local) || drafts.some((draft) => draft.code === null && draft.seq === 0);
}

/** How many lines there are to come, those of a gap with them. @param {readonly RoomEvent[]} events */
export function linesIn(events) {
  return events.reduce((sum, { kind, skipped }) => sum + (kind === "gap" ? number(skipped) : LINELESS.includes(kind) ? 0 : 1), 0);
}

/** Another member (or a guest) reads from now on. @param {Log} log @param {string | null} me @returns {Log} */
export function readBy(log, me) {
  return me === log.me ? log : { ...log, me };
}

/** How the house is told which line is meant: by its number; where that began anew since, by its sender's own id. @param {Line} line */
export function place({ seq, nickname, id }) {
  return seq > 0 ? { seqs: [seq] } : { nickname, ids: [id] };
}

/** @param {RoomEvent} event @param {string | null} me @returns {Line} */
function lineOf(event, me) {
  const from = /** @type {Record<string, unknown>} */ (
    event.from !== null && typeof event.from === "object" ? event.from : {}
  );
  const nickname = string(from.nickname);
  const id = string(event.id);
  const text = string(event.text);
  const mine = me !== null && nickname === me;
  const kind = event.kind === "donated" ? "donated" : "said";
  const local = event.local === true;
  const at = string(event.at);
  // A program may use an id for many lines.
  const numbered = local ? `${UNNUMBERED}${nickname}:${id}:${at}:${text}` : `${number(event.seq)}:${id}`;
  return {
    // A gift's id is the house's own, and it stays one gift when it comes again with another number.
    key: kind === "donated" && id !== "" ? `gift:${id}` : numbered,
    seq: number(event.seq),
    kind,
    id,
    nickname,
    roles: Array.isArray(from.roles) ? from.roles.filter((role) => typeof role === "string") : [],
    text,
    at,
    points: number(event.points),
    skipped: 0,
    mine,
    mentioned: !mine && mentions(text, me),
    removed: false,
    local,
    lapsed: false,
  };
}

/** Gaps that follow each other are one gap to the reader. @param {Line[]} lines @param {RoomEvent} event */
function addGap(lines, event) {
  const skipped = number(event.skipped);
  if (skipped <= 0) return;
  const last = lines.at(-1);
  const before = last?.kind === "gap" ? last.skipped : 0;
  if (last?.kind === "gap") lines.pop();
  lines.push(gapLine(`gap:${number(event.from_seq)}:${number(event.to_seq)}`, before + skipped));
}

/**
 * No number that was given before means anything now, and nobody knows what was said in between.
 * @param {Line[]} lines @param {string} epoch
 */
function beginAnew(lines, epoch) {
  lines.forEach((line, index) => (lines[index] = { ...line, seq: 0 }));
  if (lines.length > 0) lines.push(gapLine(`gap:${epoch}`, 0));
}

/**
 * What the store still had when it began anew comes again, and is removed by its number; what had none is held again.
 * @param {Line[]} lines @param {Line} again
 */
function renumber(lines, { key, seq, local }) {
  const at = lines.findIndex((line) => line.key === key);
  const line = lines[at];
  if (line?.seq === 0 && seq > 0) lines[at] = { ...line, seq };
  else if (line?.lapsed && local) lines[at] = { ...line, local, lapsed: false };
}

/** @param {string} key @param {number} skipped @returns {Line} */
function gapLine(key, skipped) {
  return { key, kind: "gap", skipped, seq: 0, id: "", nickname: "", roles: [], text: "", at: "", points: 0, mine: false, mentioned: false, removed: false, local: false, lapsed: false };
}

/**
 * Who said it, their id for it and the words are the line, where one of both has no number. The moment too where it had one
 * before: a program may use an id again. Not otherwise: sent again, a line is held a second time.
 * @param {readonly Line[]} lines @param {Line} line @returns {Line | undefined}
 */
function sameLine(lines, { kind, nickname, id, local, text, at }) {
  if (kind !== "said" || nickname === "" || id === "") return undefined;
  return lines.find((line) => {
    // In a fast room nearly every line ends here: nothing else is looked at.
    if (!local && line.seq !== 0) return false;
    if (line.kind !== kind || line.id !== id || line.nickname !== nickname) return false;
    // A removed line has lost its words.
    const same = line.removed ? line.at === at : line.text === text;
    return same && (hadNumber(line) ? line.at === at : line.lapsed || !local);
  });
}

/** @param {Line} line */
function hadNumber({ key }) {
  return !key.startsWith(UNNUMBERED);
}

/** @param {Line[]} lines @param {RoomEvent} event */
function lapse(lines, event) {
  const gone = new Set(
    (Array.isArray(event.lines) ? event.lines : []).map((each) => `${string(each?.nickname)}:${string(each?.id)}`),
  );
  lines.forEach((line, index) => {
    if (line.local && gone.has(`${line.nickname}:${line.id}`)) lines[index] = { ...line, local: false, lapsed: true };
  });
}

/** By number; by id where the house gave none, for an id is its sender's own choice. @param {Line[]} lines @param {RoomEvent} event */
function remove(lines, { ids, seqs, nickname }) {
  const numbers = new Set(Array.isArray(seqs) ? seqs : []);
  const names = new Set(Array.isArray(ids) && numbers.size === 0 ? ids : []);
  lines.forEach((line, index) => {
    const named = line.id !== "" && names.has(line.id) && (typeof nickname !== "string" || nickname === line.nickname);
    const gone = numbers.has(line.seq) || named;
    if (gone && line.kind !== "gap") lines[index] = { ...line, text: "", removed: true };
  });
}

/** @param {readonly Draft[]} drafts @param {string} id @param {string} code @param {number} retryAfterMs */
function withCode(drafts, id, code, retryAfterMs) {
  return changed(drafts, (draft) => draft.id === id, { code, retryAfterMs });
}

/**
 * What was said before the newest event cannot come any more: a gap has it.
 * @param {readonly Draft[]} drafts @param {number | null} newest
 */
function notPast(drafts, newest) {
  return without(drafts, ({ code, seq = 0 }) => code === null && seq > 0 && newest !== null && seq <= newest);
}

/** The house had them, and may not have them any more. @param {readonly Draft[]} drafts @param {(draft: Draft) => boolean} meant */
function lost(drafts, meant) {
  return changed(drafts, (draft) => draft.code === null && meant(draft), { code: "wire.lost" });
}

/**
 * The same array where none goes: then nothing is drawn or kept anew.
 * @param {readonly Draft[]} drafts @param {(draft: Draft) => boolean} gone
 */
function without(drafts, gone) {
  return drafts.some(gone) ? drafts.filter((draft) => !gone(draft)) : drafts;
}

/** As above. @param {readonly Draft[]} drafts @param {(draft: Draft) => boolean} meant @param {Partial<Draft>} change */
function changed(drafts, meant, change) {
  return drafts.some(meant) ? drafts.map((draft) => (meant(draft) ? { ...draft, ...change } : draft)) : drafts;
}

/** @param {Line[]} lines @param {Set<string>} keys */
function forget(lines, keys) {
  for (const line of lines.splice(0, Math.max(0, lines.length - LINES_MAX))) keys.delete(line.key);
}

/** @param {unknown} value */
function string(value) {
  return typeof value === "string" ? value : "";
}

/** @param {unknown} value */
function number(value) {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}
