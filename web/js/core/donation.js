/**
 * Core: one donation from the form to the ledger's answer.
 *
 * The id is made before anything is sent and stays until the ledger has answered. An answer that did not come is not a
 * refusal: the form is then locked, and the only way on is the same request with the same id.
 * @module
 */

export const POINTS_MIN = 1;
export const POINTS_MAX = 1_000_000;
export const TEXT_CHARACTERS_MAX = 200;
/** What stands in the form at first. */
const AMOUNT_FIRST_POINTS = 100;
/** Amounts offered as buttons: a coffee, a snack, a meal, a feast. */
export const AMOUNTS_POINTS = Object.freeze([AMOUNT_FIRST_POINTS, 500, 1000, 5000]);

/** @typedef {"editing" | "sending" | "unknown" | "given"} Stage */
/**
 * @typedef {object} Donation
 * @property {Stage} stage
 * @property {string | null} id null until it is first sent
 * @property {number} points
 * @property {string} text
 * @property {import("./problem.js").Problem | null} problem why the last try did not end well
 * @property {number | null} pointsLeft the ledger's answer
 */

/** @returns {Donation} */
export function newDonation() {
  return { stage: "editing", id: null, points: AMOUNT_FIRST_POINTS, text: "", problem: null, pointsLeft: null };
}

/**
 * @param {Donation} donation
 * @param {{ points?: number, text?: string }} change
 * @returns {Donation} unchanged unless it is still being written
 */
export function edited(donation, change) {
  return donation.stage === "editing" ? { ...donation, ...change, problem: null } : donation;
}

/**
 * @param {Donation} donation
 * @param {number | null} balancePoints null when it is not known
 * @returns {string | null} the code of the first fault, or null: it may be sent
 */
export function fault(donation, balancePoints) {
  const { points, text } = donation;
  if (!Number.isInteger(points) || points < POINTS_MIN || points > POINTS_MAX) return "points.amount";
  if ([...text.trim()].length > TEXT_CHARACTERS_MAX) return "transfer.text_too_long";
  if (balancePoints !== null && points > balancePoints) return "points.insufficient";
  return null;
}

/**
 * @param {Donation} donation
 * @param {string} freshId used only when this donation has none yet
 * @returns {Donation} the caller sends exactly its id, points and text
 */
export function sent(donation, freshId) {
  if (donation.stage !== "editing" && donation.stage !== "unknown") return donation;
  return { ...donation, stage: "sending", id: donation.id ?? freshId, text: donation.text.trim(), problem: null };
}

/** @param {Donation} donation @param {number} pointsLeft @returns {Donation} */
export function given(donation, pointsLeft) {
  return { ...donation, stage: "given", pointsLeft, problem: null };
}

/**
 * @param {Donation} donation
 * @param {import("./problem.js").Problem} problem
 * @returns {Donation} A refusal frees the form and the id; an unknown outcome keeps both as they are.
 */
export function failed(donation, problem) {
  return problem.unknown
    ? { ...donation, stage: "unknown", problem }
    : { ...donation, stage: "editing", id: null, problem };
}
