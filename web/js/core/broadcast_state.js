/**
 * Core: is this channel on air? Told by the API, by the room's events and by the player, newest word wins.
 * @module
 */

/** @typedef {"unknown" | "offline" | "live" | "interrupted" | "ended"} OnAir */
/**
 * @typedef {{ state: OnAir, playback: string | null, turn: number }} Broadcast
 *   `turn` rises when the player has to begin anew, even at the same address.
 */
/** @typedef {{ kind: string, at?: unknown, playback?: unknown }} RoomEvent */

/** Clocks of two hosts of one house differ by less than this. */
export const CLOCK_SLACK_MS = 2_000;

/** @type {Broadcast} */
export const NOTHING_KNOWN = Object.freeze({ state: "unknown", playback: null, turn: 0 });

/**
 * A moment on the wire in milliseconds: ISO 8601, or seconds as a number.
 * @param {unknown} at
 */
export function momentMs(at) {
  if (typeof at === "number") return at * 1000;
  return typeof at === "string" ? Date.parse(at) : Number.NaN;
}

/**
 * The API's answer: the truth at the moment of asking. It does not tell an interruption from a running broadcast.
 * @param {Broadcast} now
 * @param {{ on_air: boolean, playback: string | null }} channel
 * @returns {Broadcast}
 */
export function asked(now, channel) {
  if (!channel.on_air) {
    const state = now.state === "live" || now.state === "interrupted" || now.state === "ended" ? "ended" : "offline";
    return { ...now, state };
  }
  if (now.state === "interrupted") return now;
  if (now.state === "live" && now.playback === channel.playback) return now;
  return { state: "live", playback: channel.playback, turn: now.turn + 1 };
}

/**
 * An event of the room. The room replays its history to a newcomer, so what is older than the connection says nothing.
 * @param {Broadcast} now
 * @param {RoomEvent} event
 * @param {number} connectedAtMs the server's clock when this connection was made
 * @returns {Broadcast}
 */
export function told(now, event, connectedAtMs) {
  if (momentMs(event.at) < connectedAtMs - CLOCK_SLACK_MS) return now;
  switch (event.kind) {
    case "on_air": {
      const playback = typeof event.playback === "string" ? event.playback : now.playback;
      // After an interruption the same timeline goes on: the player must not be torn down for it.
      const goesOn = now.state === "interrupted" && playback === now.playback;
      return { state: "live", playback, turn: goesOn ? now.turn : now.turn + 1 };
    }
    case "interrupted":
      return now.state === "live" || now.state === "unknown" ? { ...now, state: "interrupted" } : now;
    case "off_air":
      return { ...now, state: "ended" };
    default:
      return now;
  }
}

/**
 * The player reached the end of the playlist: only a closed broadcast has one.
 * @param {Broadcast} now
 * @returns {Broadcast}
 */
export function playedOut(now) {
  return now.state === "live" || now.state === "interrupted" ? { ...now, state: "ended" } : now;
}
