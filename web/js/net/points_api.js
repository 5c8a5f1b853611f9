/**
 * Shell: the house's HTTP doors of points and orders, one function each (PROTOCOL.md).
 * @module
 */

import { asMember } from "./as_member.js";
import { request } from "./http.js";

/** @param {string | null} cursor */
const page = (cursor) => (cursor === null ? "" : `?cursor=${encodeURIComponent(cursor)}`);

/** @returns {Promise<{ balance: number, earnings: number }>} */
export function points() {
  return asMember("GET", "/api/points");
}

/**
 * @typedef {object} Entry
 * @property {number} id
 * @property {string} kind
 * @property {string} account "points" or "earnings"
 * @property {number} points negative when they left
 * @property {number} balance
 * @property {string | null} nickname
 * @property {string} text
 * @property {string} at
 */
/** @param {string | null} [cursor] @returns {Promise<{ entries: Entry[], next: string | null }>} */
export function pointsHistory(cursor = null) {
  return asMember("GET", `/api/points/history${page(cursor)}`);
}

/** @typedef {import("../core/top_up.js").Order} Order */
/** @returns {Promise<{ products: { id: string, points: number, amount_won: number, vat_won: number }[], payments: string }>} */
export function products() {
  return request("GET", "/api/points/products");
}

/** The same id again is the same order. @param {string} id @param {string} product @returns {Promise<Order>} */
export function placeOrder(id, product) {
  return asMember("POST", "/api/points/orders", { id, product });
}

/** @param {string} id @returns {Promise<Order>} */
export function order(id) {
  return asMember("GET", `/api/points/orders/${encodeURIComponent(id)}`);
}

/** @param {string | null} [cursor] @returns {Promise<{ orders: Order[], next: string | null }>} */
export function orders(cursor = null) {
  return asMember("GET", `/api/points/orders${page(cursor)}`);
}

/** @param {string} id @returns {Promise<Order>} */
export function refundOrder(id) {
  return asMember("POST", `/api/points/orders/${encodeURIComponent(id)}/refund`);
}
