/**
 * Shell: the house's HTTP doors of one's own account, one function each (PROTOCOL.md).
 * @module
 */

import { asMember } from "./as_member.js";

/**
 * @typedef {object} Login
 * @property {string} id
 * @property {string} browser "" when it is not known
 * @property {string} system "" when it is not known
 * @property {string} began_at
 * @property {string} used_at
 * @property {boolean} current
 */
/** @typedef {{ id: number, name: string, scopes: string[], created_at: string, used_at: string | null }} BotToken */

/** @returns {Promise<{ logins: Login[] }>} the latest used first */
export function logins() {
  return asMember("GET", "/api/members/me/logins");
}

/** @param {string} id @returns {Promise<null>} */
export function endLogin(id) {
  return asMember("DELETE", `/api/members/me/logins/${encodeURIComponent(id)}`);
}

/** @returns {Promise<null>} */
export function endOtherLogins() {
  return asMember("DELETE", "/api/members/me/logins");
}

/** @returns {Promise<{ tokens: BotToken[] }>} */
export function botTokens() {
  return asMember("GET", "/api/members/me/tokens");
}

/** The token is told this once. @param {string} name @param {string[]} scopes @returns {Promise<BotToken & { token: string }>} */
export function makeBotToken(name, scopes) {
  return asMember("POST", "/api/members/me/tokens", { name, scopes });
}

/** @param {number} id @returns {Promise<null>} */
export function revokeBotToken(id) {
  return asMember("DELETE", `/api/members/me/tokens/${id}`);
}

/** All other logins end. @param {string} oldPassword @param {string} password @param {boolean} keepsTokens @returns {Promise<null>} */
export function changePassword(oldPassword, password, keepsTokens) {
  return asMember("PUT", "/api/members/me/password", { old_password: oldPassword, password, keep_tokens: keepsTokens });
}

/** For good. @param {string} password @returns {Promise<null>} */
export function leave(password) {
  return asMember("DELETE", "/api/members/me", { password });
}
