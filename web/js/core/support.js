/**
 * Core: who gave most and how far a goal is, as they stand and as gifts come: nobody asks the house again for each.
 * @module
 */

/** What a channel's page shows: three are a podium, more are a list to read. */
export const SHOWN_MAX = 3;

/** @typedef {{ nickname: string, points: number }} Supporter */
/**
 * @typedef {object} Support
 * @property {import("./goal.js").Goal | null} goal
 * @property {readonly Supporter[]} supporters the most first
 */

/**
 * A gift was told in the room.
 * @param {Support} support
 * @param {Record<string, unknown>} event
 * @returns {Support}
 */
export function given({ goal, supporters }, event) {
  const points = typeof event.points === "number" ? event.points : 0;
  const { nickname } = /** @type {{ nickname?: unknown }} */ (event.from ?? {});
  return {
    goal: goal === null ? null : { ...goal, received: goal.received + points },
    supporters: typeof nickname === "string" && nickname !== "" ? ranked(supporters, nickname, points) : supporters,
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
