/**
 * Core: one donation from the form to the ledger's answer.
 *
 * The id is made before anything is sent. Once it may have reached the ledger, only the ledger's own words free it: a
 * connection that cannot be made, a login that ended, a house that is closing say nothing about the try before. The form
 * is then locked, and the only way on is the same request with the same id, also after the page was loaded again.
 * @module
 */

import { plain } from "./plain_text.js";

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
 * @property {boolean} maybe this id may have reached the ledger, and the ledger has not answered
 * @property {number} points
 * @property {string} text
 * @property {boolean} anonymous the streamer is not told by whom
 * @property {import("./problem.js").Problem | null} problem why the last try did not end well
 * @property {number | null} pointsLeft the ledger's answer
 */

/** @returns {Donation} */
export function newDonation() {
  return { stage: "editing", id: null, maybe: false, points: AMOUNT_FIRST_POINTS, text: "", anonymous: false, problem: null, pointsLeft: null };
}

/**
 * @param {Donation} donation
 * @param {{ points?: number, text?: string, anonymous?: boolean }} change
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
  if ([...plain(text)].length > TEXT_CHARACTERS_MAX) return "transfer.text_too_long";
  if (balancePoints !== null && points > balancePoints) return "points.insufficient";
  return null;
}

/**
 * @param {Donation} donation
 * @param {number | null} balancePoints null when it is not known
 * @returns {number} the points that are wanting for it; 0 where there are enough, or nobody knows
 */
export function wanting({ stage, points }, balancePoints) {
  if (stage !== "editing" || balancePoints === null || !Number.isInteger(points) || points > POINTS_MAX) return 0;
  return Math.max(0, points - balancePoints);
}

/**
 * @param {Donation} donation
 * @param {string} freshId used only when this donation has none yet
 * @returns {Donation} the caller sends exactly its id, points and text
 */
export function sent(donation, freshId) {
  if (donation.stage !== "editing" && donation.stage !== "unknown") return donation;
  // What went out before goes out as it was, to the letter: the ledger takes the same id with other words for another gift.
  const text = donation.stage === "editing" ? plain(donation.text) : donation.text;
  return { ...donation, stage: "sending", id: donation.id ?? freshId, text, problem: null };
}

/** @param {Donation} donation @param {number} pointsLeft @returns {Donation} */
export function given(donation, pointsLeft) {
  return { ...donation, stage: "given", maybe: false, pointsLeft, problem: null };
}

/**
 * @param {Donation} donation
 * @param {import("./problem.js").Problem} problem
 * @returns {Donation} A refusal frees the form and the id; while the outcome is unknown both stay as they are.
 */
export function failed(donation, problem) {
  const maybe = !isLedgersWord(problem) && (donation.maybe || mayHaveArrived(problem));
  return maybe
    ? { ...donation, stage: "unknown", maybe, problem }
    : { ...donation, stage: "editing", id: null, maybe, problem };
}

/** The books looked the id up, have its refusal on record and will say the same for ever. @param {import("./problem.js").Problem} problem */
function isLedgersWord({ code, unknown }) {
  return !unknown && (/^(?:points|transfer)\./.test(code) || code === "channel.off_air");
}

/** Of one try alone: `internal` is also what our own faults are called, and those may come after the sending. @param {import("./problem.js").Problem} problem */
function mayHaveArrived({ code, unknown }) {
  return unknown || code === "internal";
}

/**
 * What a tab keeps while the ledger has not answered.
 * @param {Donation} donation
 * @returns {string | null} null when there is nothing to keep
 */
export function pending(donation) {
  const { stage, maybe, id, points, text, anonymous } = donation;
  return id !== null && (stage === "sending" || maybe) ? JSON.stringify({ id, points, text, anonymous }) : null;
}

/** What is written and not sent, as a tab keeps it. @param {Donation} donation @returns {string} "" when it is as it was at first */
export function written({ points, text, anonymous }) {
  const first = newDonation();
  if (points === first.points && text === first.text && anonymous === first.anonymous) return "";
  return JSON.stringify({ points, text, anonymous }); // No number is null.
}

/** @param {string} kept what `written` made @returns {{ points?: number, text?: string, anonymous?: boolean }} to be edited with */
export function writtenBefore(kept) {
  const { points, text, anonymous } = parsed(kept);
  if (typeof text !== "string") return {};
  return { points: typeof points === "number" ? points : Number.NaN, text, anonymous: anonymous === true };
}

/**
 * A donation that the page before this one had sent. It may have arrived: nobody saw the answer.
 * @param {string | null} kept what `pending` made
 * @returns {Donation} a new one when nothing was kept
 */
export function restored(kept) {
  const { id, points, text, anonymous = false } = parsed(kept);
  if (typeof id !== "string" || typeof points !== "number" || typeof text !== "string") return newDonation();
  return { ...newDonation(), stage: "unknown", id, maybe: true, points, text, anonymous: anonymous === true };
}

/** @param {string | null} kept @returns {Record<string, unknown>} */
function parsed(kept) {
  try {
    return JSON.parse(kept ?? "") ?? {};
  } catch {
    return {};
  }
}
