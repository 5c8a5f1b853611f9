/**
 * Shell: the house's HTTP doors of who gave and what for, one function each; for anyone (PROTOCOL.md).
 * @module
 */

import { request } from "./http.js";

const path = (/** @type {string} */ nickname) => `/api/channels/${encodeURIComponent(nickname)}`;

/** @param {string} nickname @returns {Promise<{ goal: import("../core/goal.js").Goal | null }>} */
export function goal(nickname) {
  return request("GET", `${path(nickname)}/goal`);
}

/**
 * @param {string} nickname
 * @param {"broadcast" | "day" | "week" | "month"} period
 * @returns {Promise<{ points: number, donations: number, supporters: { nickname: string, points: number }[] }>}
 */
export function supporters(nickname, period) {
  return request("GET", `${path(nickname)}/supporters?period=${period}`);
}
