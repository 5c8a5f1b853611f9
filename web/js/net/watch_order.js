/**
 * Shell: an order as the house pushes it (PROTOCOL.md, Orders).
 * @module
 */

import { readEvents } from "./event_stream.js";
import { identity } from "./identity.js";

/** @typedef {import("../core/top_up.js").Order} Order */

/**
 * Hear of an order as it is and each time it changes, until it rests.
 * @param {string} id
 * @param {(order: Order) => void} onOrder
 * @param {AbortSignal} signal
 * @returns {Promise<boolean>} false: the stream was refused or broke, or the house ended it early
 */
export async function watchOrder(id, onOrder, signal) {
  const token = await identity.token();
  return readEvents(`/api/points/orders/${encodeURIComponent(id)}/events`, { token, onData: onOrder, signal });
}
