/**
 * Core: how far a goal is.
 * @module
 */

/** @typedef {{ title: string, points: number, received: number, since: string }} Goal */

/** @param {{ points: number, received: number }} goal @returns {number} 0 to 100; a goal is reached at 100 and not before */
export function percent({ points, received }) {
  return points <= 0 ? 0 : Math.min(100, Math.max(0, Math.floor((received / points) * 100)));
}
