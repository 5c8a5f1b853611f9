/**
 * Core: what a room asks of its speakers, and what the reader may do in it.
 * @module
 */

/**
 * @typedef {object} Rules
 * @property {number} slowSeconds 0: no slow mode
 * @property {number | null} followersOnlyMinutes null: everybody
 * @property {boolean} membersOnly
 * @property {boolean} blockedLinks
 * @property {string} pinned "" when there is no notice
 */
/**
 * @typedef {object} Standing
 * @property {Rules} rules
 * @property {{ untilMs: number } | null} muted the reader may not write until then; Infinity until a moderator says so
 * @property {boolean} moderates the reader is known to be the owner or a moderator here
 */
/** @typedef {Record<string, unknown> & { kind: string }} RoomEvent */

/** @type {Rules} */
export const NO_RULES = Object.freeze({ slowSeconds: 0, followersOnlyMinutes: null, membersOnly: false, blockedLinks: false, pinned: "" });

/** @param {string | null} me @param {string} channel @returns {Standing} */
export function newStanding(me, channel) {
  return { rules: NO_RULES, muted: null, moderates: me !== null && me === channel };
}

/**
 * @param {Standing} standing
 * @param {RoomEvent} event
 * @param {string | null} me
 * @returns {Standing} the same object when nothing changed
 */
export function ruled(standing, event, me) {
  switch (event.kind) {
    case "rules":
      return { ...standing, rules: rulesOf(event) };
    case "muted":
      return event.nickname === me ? { ...standing, muted: { untilMs: untilMs(event.until) } } : standing;
    case "unmuted":
      return event.nickname === me && standing.muted !== null ? { ...standing, muted: null } : standing;
    case "said":
      return !standing.moderates && saidByModerator(event.from, me) ? { ...standing, moderates: true } : standing;
    default:
      return standing;
  }
}

/** @param {Standing} standing @param {number} nowMs @returns {number | null} how long the reader may not write yet */
export function mutedForMs({ muted }, nowMs) {
  return muted === null || muted.untilMs <= nowMs ? null : muted.untilMs - nowMs;
}

/** @param {Record<string, unknown>} said @returns {Rules} */
export function rulesOf(said) {
  return {
    slowSeconds: Number(said.slow_seconds) || 0,
    followersOnlyMinutes: typeof said.followers_only_minutes === "number" ? said.followers_only_minutes : null,
    membersOnly: said.members_only === true,
    blockedLinks: said.blocked_links === true,
    pinned: typeof said.pinned === "string" ? said.pinned : "",
  };
}

/** @param {unknown} until null for a ban */
function untilMs(until) {
  const moment = typeof until === "string" ? Date.parse(until) : Number.NaN;
  return Number.isNaN(moment) ? Number.POSITIVE_INFINITY : moment;
}

/** @param {unknown} from @param {string | null} me */
function saidByModerator(from, me) {
  const { nickname, roles } = /** @type {{ nickname?: unknown, roles?: unknown }} */ (from ?? {});
  return me !== null && nickname === me && Array.isArray(roles) && (roles.includes("moderator") || roles.includes("owner"));
}
