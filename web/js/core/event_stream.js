/**
 * Core: server-sent events, as they come in pieces (WHATWG HTML, section 9.2.6). Only data is of use to us.
 * @module
 */

/** Characters of one event at most: an order with its code has some ten thousand. */
export const EVENT_CHARS_MAX = 200_000;

/**
 * Take one more piece of the stream.
 * @param {string} rest what was left of the pieces before
 * @param {string} piece
 * @returns {{ data: string[], rest: string }} the data of each event that is whole now, and what waits for more
 */
export function feed(rest, piece) {
  const blocks = (rest + piece).split("\n\n");
  const left = blocks.pop() ?? "";
  if (left.length > EVENT_CHARS_MAX) throw new RangeError("an event without end");
  return { data: blocks.flatMap(dataOf), rest: left };
}

/** @param {string} block @returns {string[]} none for a comment */
function dataOf(block) {
  const lines = block.split("\n").filter((line) => line.startsWith("data:"));
  return lines.length === 0 ? [] : [lines.map((line) => line.slice(5).replace(/^ /, "")).join("\n")];
}
