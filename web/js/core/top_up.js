/**
 * Core: buying points, from the choice of a pack to the order's end.
 *
 * The id is made before anything is sent and stays until the house has answered: the same again is the same order. What
 * an order's state is, the house says; what is left of its time is counted by the house's clock.
 * @module
 */

/**
 * @typedef {object} Order
 * @property {string} id
 * @property {string} state
 * @property {string} product
 * @property {number} points
 * @property {number} amount_won
 * @property {number} vat_won
 * @property {string} created_at
 * @property {string} expires_at
 * @property {string} now the house's clock
 * @property {{ pc: string, mobile: string, app: string } | null} pay
 * @property {string | null} qr
 * @property {string | null} paid_at
 * @property {string | null} receipt
 * @property {string | null} method
 * @property {string | null} refundable_until
 * @property {string | null} refunded_at
 */
/** @typedef {"choosing" | "ordering" | "unanswered" | "ordered"} Stage */
/**
 * @typedef {object} TopUp
 * @property {Stage} stage
 * @property {string | null} id
 * @property {string} product
 * @property {Order | null} order
 * @property {number} heardAtMs when the order was told, by the page's clock
 * @property {unknown} problem
 */

/** States that go on by themselves: ask again. */
const MOVING = Object.freeze(["created", "ready", "approving", "refunding", "voiding"]);
/** States in which no money was taken or all of it went back: a new order may follow at once. */
const ENDED = Object.freeze(["paid", "refunded", "voided", "failed", "expired", "canceled", "review"]);

/** @returns {TopUp} */
export function newTopUp() {
  return { stage: "choosing", id: null, product: "", order: null, heardAtMs: 0, problem: null };
}

/**
 * @param {TopUp} topUp
 * @param {string} product
 * @param {string} freshId used unless the house has not answered for the last one
 * @returns {TopUp} the caller sends exactly its id and product
 */
export function ordering(topUp, product, freshId) {
  if (topUp.stage === "ordering") return topUp;
  if (topUp.stage === "unanswered") return { ...topUp, stage: "ordering", problem: null };
  return { ...newTopUp(), stage: "ordering", id: freshId, product };
}

/** @param {TopUp} topUp @param {Order} order @param {number} nowMs @returns {TopUp} */
export function heard(topUp, order, nowMs) {
  return { ...topUp, stage: "ordered", id: order.id, product: order.product, order, heardAtMs: nowMs, problem: null };
}

/**
 * The order could not be placed. While it may have been, the same is sent again.
 * @param {TopUp} topUp
 * @param {import("./problem.js").Problem} problem
 * @returns {TopUp}
 */
export function notPlaced(topUp, problem) {
  const open = problem.unknown || problem.retry || problem.code === "internal" || problem.code === "wire.unreachable";
  return open ? { ...topUp, stage: "unanswered", problem } : { ...newTopUp(), problem };
}

/** Whether the house has to be asked how it goes on. @param {Order} order */
export function moves({ state }) {
  return MOVING.includes(state);
}

/** Whether it is over, well or not. @param {Order} order */
export function ended({ state }) {
  return ENDED.includes(state);
}

/**
 * What is left to pay in, in seconds; 0 when it is over.
 * @param {Order} order
 * @param {number} heardAtMs
 * @param {number} nowMs
 */
export function secondsLeft({ expires_at, now }, heardAtMs, nowMs) {
  const left = Date.parse(expires_at) - Date.parse(now) - (nowMs - heardAtMs);
  return Math.max(0, Math.ceil(left / 1000)) || 0;
}

/** Whether it can be given back now, by the house's clock. @param {Order} order */
export function refundable({ refundable_until, now }) {
  return refundable_until !== null && Date.parse(refundable_until) > Date.parse(now);
}
