/**
 * Core: the channels at the side of a page: those one follows, the awake before the sleeping, and others who are on air.
 * @module
 */

/** Beside a page there is room for a taste of who else is on; the home page has all. */
export const OTHERS_MAX = 8;
/** Of those who sleep; with more, the list is an archive. */
export const ASLEEP_MAX = 50;

/** @typedef {import("../net/api.js").Channel} Channel */

/**
 * @param {readonly Channel[]} channels on air, in the house's order
 * @param {ReadonlySet<string>} following
 * @returns {{ awake: Channel[], asleep: string[], others: Channel[] }}
 */
export function besides(channels, following) {
  const onAir = new Set(channels.map(({ nickname }) => nickname));
  return {
    awake: channels.filter(({ nickname }) => following.has(nickname)),
    asleep: [...following].filter((name) => !onAir.has(name)).slice(0, ASLEEP_MAX),
    others: channels.filter(({ nickname }) => !following.has(nickname)).slice(0, OTHERS_MAX),
  };
}
