/**
 * Core: who is on air as the home page shows it: chosen by what is typed and pressed, those one follows first.
 * @module
 */

import { holds } from "./search.js";

/** More categories than this are a list to read, not a row to press; the search finds the rest. */
export const CATEGORIES_MAX = 12;

/** @typedef {import("../net/api.js").Channel} Channel */
/** @typedef {{ query: string, category: string }} Wish "" wants all */

/**
 * @param {readonly Channel[]} channels in the house's order
 * @param {ReadonlySet<string>} following
 * @param {Wish} wish
 * @returns {{ followed: Channel[], others: Channel[], categories: string[] }}
 */
export function arranged(channels, following, wish) {
  const chosen = channels.filter((channel) => isWanted(channel, wish));
  return {
    followed: chosen.filter(({ nickname }) => following.has(nickname)),
    others: chosen.filter(({ nickname }) => !following.has(nickname)),
    categories: categoriesOf(channels, wish.category),
  };
}

/** @param {Channel} channel @param {Wish} wish */
function isWanted({ nickname, title, category, tags }, wish) {
  if (wish.category !== "" && category !== wish.category) return false;
  return [nickname, title, category, ...tags].some((text) => holds(text, wish.query));
}

/** The most watched first; the chosen one stays, also when nobody is left in it. @param {readonly Channel[]} channels @param {string} chosen */
function categoriesOf(channels, chosen) {
  /** @type {Map<string, number>} */
  const viewers = new Map();
  for (const channel of channels) {
    if (channel.category !== "") viewers.set(channel.category, (viewers.get(channel.category) ?? 0) + channel.viewers + 1);
  }
  const names = [...viewers].sort((one, other) => other[1] - one[1]).map(([name]) => name);
  const shown = names.slice(0, CATEGORIES_MAX);
  return chosen === "" || shown.includes(chosen) ? shown : [...shown, chosen];
}
