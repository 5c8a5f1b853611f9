/**
 * Core: whom to watch instead, when the channel one came for is not on air.
 * @module
 */

/** A row on a wide screen, two on a phone: an offer and not a second home page. */
export const OFFERED_MAX = 4;

/** @typedef {{ nickname: string, category: string, viewers: number }} OnAir */

/**
 * Those one follows first, then those of the same category, then the most watched.
 * @template {OnAir} T
 * @param {readonly T[]} channels on air now
 * @param {{ nickname: string, category: string }} here the channel that is not
 * @param {ReadonlySet<string>} followed
 * @returns {T[]}
 */
export function offered(channels, here, followed) {
  /** @param {T} channel */
  const nearness = ({ nickname, category }) =>
    (followed.has(nickname) ? 2 : 0) + (here.category !== "" && category === here.category ? 1 : 0);
  return channels
    .filter(({ nickname }) => nickname !== here.nickname)
    .sort((one, other) => nearness(other) - nearness(one) || other.viewers - one.viewers)
    .slice(0, OFFERED_MAX);
}
