/**
 * Core: who gave most and how far a goal is, as they stand and as gifts come: nobody asks the house again for each.
 * @module
 */

/** What a channel's page shows: three are a podium, more are a list to read. */
export const SHOWN_MAX = 3;
/** Gifts remembered, so that none is counted twice that comes again: four times what a room keeps of them. */
export const KNOWN_MAX = 256;

/** @typedef {{ nickname: string, points: number }} Supporter */
/**
 * @typedef {object} Support
 * @property {import("./goal.js").Goal | null} goal
 * @property {readonly Supporter[]} supporters the most first
 * @property {readonly string[]} known ids of gifts that were told, the latest last
 */

/**
 * A gift was told in the room.
 * @param {Support} support
 * @param {Record<string, unknown>} event
 * @returns {Support}
 */
export function given(support, event) {
  const { goal, supporters, known } = support;
  const id = typeof event.id === "string" ? event.id : "";
  if (known.includes(id)) return support;
  const points = typeof event.points === "number" ? event.points : 0;
  const { nickname } = /** @type {{ nickname?: unknown }} */ (event.from ?? {});
  return {
    goal: goal === null ? null : { ...goal, received: goal.received + points },
    supporters: typeof nickname === "string" && nickname !== "" ? ranked(supporters, nickname, points) : supporters,
    known: id === "" ? known : [...known, id].slice(-KNOWN_MAX),
  };
}

/** @param {readonly Supporter[]} supporters @param {string} nickname @param {number} points @returns {Supporter[]} */
function ranked(supporters, nickname, points) {
  const before = supporters.find((one) => one.nickname === nickname)?.points ?? 0;
  const others = supporters.filter((one) => one.nickname !== nickname);
  // Who reached a sum first stays above who reaches it later.
  const place = others.findIndex((one) => one.points < before + points);
  const at = place === -1 ? others.length : place;
  return [...others.slice(0, at), { nickname, points: before + points }, ...others.slice(at)];
}
