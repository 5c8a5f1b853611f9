/**
 * Core: what a sign-up form can know before the server is asked, and which field a refusal belongs to.
 * @module
 */

/** @typedef {"login_id" | "nickname" | "password"} Field */
/** @typedef {{ login_id: string, nickname: string, password: string }} Account */

/** @type {readonly Field[]} in the order they stand in the form */
export const FIELDS = Object.freeze(["login_id", "password", "nickname"]);
export const PASSWORD_CHARACTERS_MIN = 8;
export const PASSWORD_CHARACTERS_MAX = 128;

/**
 * @param {Account} account
 * @returns {Partial<Record<Field, string>>} a code for each field that the server would surely refuse
 */
export function faults({ login_id, nickname, password }) {
  /** @type {Partial<Record<Field, string>>} */
  const found = {};
  if (!/^[a-z0-9_]{4,20}$/.test(login_id)) found.login_id = "member.login_id_shape";
  if (!/^[\p{L}\p{N}]{2,20}$/u.test(nickname.normalize("NFC"))) found.nickname = "member.nickname_shape";
  if (passwordFault(password) !== null || password === login_id) found.password = "member.weak_password";
  return found;
}

/** @param {string} password @returns {string | null} a code, when the server would surely refuse it */
export function passwordFault(password) {
  const length = [...password].length;
  return length < PASSWORD_CHARACTERS_MIN || length > PASSWORD_CHARACTERS_MAX ? "member.weak_password" : null;
}

/**
 * @param {import("./problem.js").Problem} problem
 * @returns {Field | null} null: it concerns the whole form
 */
export function fieldOf(problem) {
  return FIELDS.find((field) => field === problem.field) ?? null;
}
