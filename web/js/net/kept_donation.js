/**
 * Shell: the donation that this tab keeps until the ledger has answered: one a member and channel.
 * @module
 */

import { keep, kept } from "./storage.js";

/** A retry must never become another member's gift. @param {string | null} donor @param {string} channel */
const key = (donor, channel) => `commeow.donation.${donor ?? ""}.${channel}`;

/** @param {string | null} donor @param {string} channel @returns {string | null} */
export function keptDonation(donor, channel) {
  return kept(key(donor, channel), { tab: true });
}

/** @param {string | null} donor @param {string} channel @param {string | null} donation null: the ledger has answered */
export function keepDonation(donor, channel, donation) {
  keep(key(donor, channel), donation, { tab: true });
}
