/**
 * Core: donations that are shown over a broadcast, one after another, each once and for long enough to be read.
 *
 * A gift is known by its own id. The room's numbers only say where to go on: they begin anew when the store that gave
 * them lost its data, and the same gift may then come a second time with another number.
 * @module
 */

/** Time to look up, and to read a short line. */
const SHOW_MS = 6_000;
/** And this much more for each character of the message. */
const SHOW_MS_A_CHARACTER = 60;
const SHOW_MS_MAX = 14_000;
/** When many wait, each is shown only this long: an hour-old alert is nobody's joy. */
const SHOW_MS_BUSY = 4_000;
const BUSY = 5;
/** The eye must see that it is another one. */
const PAUSE_MS = 700;
/** More than an hour of busy alerts; past it the smallest go. */
export const WAITING_MAX = 500;
/** Ids that are remembered, the latest: twice what may wait, and more than a room repeats. */
export const KNOWN_MAX = 1_000;

/**
 * @typedef {object} Alert
 * @property {string} id the donation's own
 * @property {number} seq its number in the room; 0 when the numbers have begun anew since
 * @property {string} nickname "" when it was given without a name
 * @property {number} points
 * @property {string} text
 */
/** @typedef {Record<string, unknown> & { kind: string }} RoomEvent */
/**
 * @typedef {object} Queue
 * @property {readonly Alert[]} waiting oldest first
 * @property {Alert | null} shown
 * @property {number} untilMs when what is now, an alert or the pause behind it, is over
 * @property {number | null} seq the last event's number
 * @property {string} epoch of which numbers they are; "" before the house said so
 * @property {readonly string[]} known ids of gifts that have been heard of, the latest last
 */

/** @param {number | null} seq where to go on; null: from now on @param {readonly string[]} [known] @param {string} [epoch] @returns {Queue} */
export function emptyQueue(seq, known = [], epoch = "") {
  return { waiting: [], shown: null, untilMs: 0, seq, epoch, known };
}

/** @param {Queue} queue @param {RoomEvent} event @returns {Queue} */
export function heard(queue, event) {
  if (event.kind === "epoch" && typeof event.epoch === "string") return inEpoch(queue, event.epoch);
  if (typeof event.seq !== "number") return queue;
  const next = { ...(queue.seq !== null && event.seq <= queue.seq ? renumbered(queue) : queue), seq: event.seq };
  if (event.kind === "removed") return withoutWords(next, Array.isArray(event.seqs) ? event.seqs : []);
  const id = typeof event.id === "string" ? event.id : "";
  if (event.kind !== "donated") return next;
  if (queue.known.includes(id)) return numbered(next, id, event.seq);
  const from = /** @type {Record<string, unknown>} */ (event.from ?? {});
  const alert = {
    id,
    seq: event.seq,
    nickname: typeof from.nickname === "string" ? from.nickname : "",
    points: typeof event.points === "number" ? event.points : 0,
    text: typeof event.text === "string" ? event.text : "",
  };
  return { ...next, waiting: bounded([...next.waiting, alert]), known: [...next.known, id].slice(-KNOWN_MAX) };
}

/** What is read aloud is shown to its end. @param {Queue} queue @param {string} id @param {number} untilMs @returns {Queue} */
export function held(queue, id, untilMs) {
  return queue.shown?.id === id && untilMs > queue.untilMs ? { ...queue, untilMs } : queue;
}

/**
 * Time has passed. @param {Queue} queue @param {number} nowMs @param {boolean} [seen] false: another scene is on air, and who gave waits for this one
 * @returns {Queue} the same object when nothing changed
 */
export function ticked(queue, nowMs, seen = true) {
  if (nowMs < queue.untilMs) return queue;
  if (queue.shown !== null) return { ...queue, shown: null, untilMs: nowMs + PAUSE_MS };
  const [first, ...others] = queue.waiting;
  if (first === undefined || !seen) return queue;
  return { ...queue, waiting: others, shown: first, untilMs: nowMs + showMs(first, others.length) };
}

/** @param {Queue} queue @param {number} nowMs @param {boolean} [seen] @returns {number | null} when to tick next; null: not before something happens */
export function waitMs({ waiting, shown, untilMs }, nowMs, seen = true) {
  return shown === null && (waiting.length === 0 || !seen) ? null : Math.max(0, untilMs - nowMs);
}

/** The number to go on from after a reload: nothing that waits is lost, nothing that was shown comes again. @param {Queue} queue */
export function resumeAt({ waiting, seq }) {
  const first = waiting.find((alert) => alert.seq > 0);
  return first === undefined ? seq : first.seq - 1;
}

/** Those that are not to be shown after a reload, whatever their number is then. @param {Queue} queue @returns {string[]} */
export function shownIds({ waiting, known }) {
  const waits = new Set(waiting.map(({ id }) => id));
  return known.filter((id) => !waits.has(id));
}

/** @param {Queue} queue @param {string} epoch @returns {Queue} */
function inEpoch(queue, epoch) {
  return queue.epoch === "" || queue.epoch === epoch ? { ...queue, epoch } : { ...renumbered(queue), seq: 0, epoch };
}

/** No number that was given before means anything now. @param {Queue} queue @returns {Queue} */
function renumbered(queue) {
  const without = (/** @type {Alert} */ alert) => ({ ...alert, seq: 0 });
  return { ...queue, waiting: queue.waiting.map(without), shown: queue.shown === null ? null : without(queue.shown) };
}

/** A gift that comes again, in numbers that began anew, has its new one: its words are taken back by it. @param {Queue} queue @param {string} id @param {number} seq @returns {Queue} */
function numbered(queue, id, seq) {
  const again = (/** @type {Alert} */ alert) => (alert.id === id ? { ...alert, seq } : alert);
  return { ...queue, waiting: queue.waiting.map(again), shown: queue.shown === null ? null : again(queue.shown) };
}

/** @param {Alert} alert @param {number} behind how many wait */
function showMs({ text }, behind) {
  return behind >= BUSY ? SHOW_MS_BUSY : Math.min(SHOW_MS_MAX, SHOW_MS + SHOW_MS_A_CHARACTER * text.length);
}

/** A moderator took the words back: the gift is still thanked for. @param {Queue} queue @param {readonly unknown[]} seqs @returns {Queue} */
function withoutWords(queue, seqs) {
  const clean = (/** @type {Alert} */ alert) => (seqs.includes(alert.seq) ? { ...alert, text: "" } : alert);
  return { ...queue, waiting: queue.waiting.map(clean), shown: queue.shown === null ? null : clean(queue.shown) };
}

/** @param {Alert[]} waiting */
function bounded(waiting) {
  if (waiting.length <= WAITING_MAX) return waiting;
  const smallest = waiting.reduce((least, alert) => (alert.points < least.points ? alert : least));
  return waiting.filter((alert) => alert !== smallest);
}
