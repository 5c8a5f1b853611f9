/**
 * Core: what a screen reader is told of a fast chat: what matters, and at most every five seconds.
 * @module
 */

/** A polite region that changes more often is never read to its end. */
export const ANNOUNCE_EVERY_MS = 5_000;
/** More than this at once is noise: the newest are kept. */
export const WAITING_MAX = 3;

/** @typedef {{ waiting: readonly string[], spokenAtMs: number }} Announcer */

/** @typedef {import("./chat_log.js").Line} Line */

/**
 * What is worth saying of a draw: donations, and lines that speak to the reader. What the room said before it was
 * entered is history and not news, in however many draws it comes.
 * @param {readonly Line[]} before the lines that were drawn already
 * @param {readonly Line[]} lines
 * @param {number} enteredMs the house's time
 * @returns {Line[]}
 */
export function news(before, lines, enteredMs) {
  const known = new Set(before.map((line) => line.key));
  // A line that had no number, and has one now, is no other.
  const unnumbered = new Set(before.filter((line) => line.seq === 0).map(({ nickname, id }) => `${nickname}:${id}`));
  return lines.filter(
    (line) =>
      (line.kind === "donated" || line.mentioned) &&
      !known.has(line.key) &&
      !unnumbered.has(`${line.nickname}:${line.id}`) &&
      !(Date.parse(line.at) < enteredMs),
  );
}

/** @returns {Announcer} */
export function quiet() {
  return { waiting: [], spokenAtMs: -ANNOUNCE_EVERY_MS };
}

/** @param {Announcer} announcer @param {string} text @returns {Announcer} */
export function heard(announcer, text) {
  return { ...announcer, waiting: [...announcer.waiting, text].slice(-WAITING_MAX) };
}

/**
 * @param {Announcer} announcer
 * @param {number} nowMs
 * @returns {{ announcer: Announcer, text: string | null, dueInMs: number | null }}
 *   `text` is to be shown now; when it is null and `dueInMs` is not, the caller comes back after that time.
 */
export function speak(announcer, nowMs) {
  if (announcer.waiting.length === 0) return { announcer, text: null, dueInMs: null };
  const dueInMs = announcer.spokenAtMs + ANNOUNCE_EVERY_MS - nowMs;
  if (dueInMs > 0) return { announcer, text: null, dueInMs };
  return { announcer: { waiting: [], spokenAtMs: nowMs }, text: announcer.waiting.join("\n"), dueInMs: null };
}
