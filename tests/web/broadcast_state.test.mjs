import assert from "node:assert/strict";
import { test } from "node:test";
import { asked, CLOCK_SLACK_MS, momentMs, NOTHING_KNOWN, playedOut, told } from "../../web/js/core/broadcast_state.js";

const CONNECTED = Date.parse("2026-11-25T12:00:00Z");
const after = (seconds) => new Date(CONNECTED + seconds * 1000).toISOString();
const on = { on_air: true, playback: "/hls/mia/index.m3u8" };
const off = { on_air: false, playback: null };
const live = asked(NOTHING_KNOWN, on);
/** A script: each step's input, and the state after it. */
const play = (start, ...steps) => steps.map(([step, input]) => (start = step(start, input))).map(({ state, turn }) => [state, turn]);
const hear = (now, event) => told(now, event, CONNECTED);

test("asked while live: begins once", () => {
  assert.deepEqual(live, { state: "live", playback: on.playback, turn: 1 });
  assert.equal(asked(live, on), live);
});

test("asked while off: never was on is offline, was on is ended", () => {
  assert.equal(asked(NOTHING_KNOWN, off).state, "offline");
  assert.equal(asked(live, off).state, "ended");
  assert.equal(asked(asked(live, off), off).state, "ended");
});

test("asked with another playback: a new turn", () => {
  assert.equal(asked(live, { ...on, playback: "/hls/mia/2.m3u8" }).turn, 2);
});

test("an interruption that ends keeps the player as it is", () => {
  assert.deepEqual(
    play(live, [hear, { kind: "interrupted", at: after(1) }], [asked, on], [hear, { kind: "on_air", at: after(5), playback: on.playback }]),
    [["interrupted", 1], ["interrupted", 1], ["live", 1]],
  );
});

test("an interruption that does not end, and a new broadcast after it", () => {
  assert.deepEqual(
    play(live, [hear, { kind: "interrupted", at: after(1) }], [hear, { kind: "off_air", at: after(21) }], [hear, { kind: "on_air", at: after(60), playback: on.playback }]),
    [["interrupted", 1], ["ended", 1], ["live", 2]],
  );
});

test("the room's history moves nothing", () => {
  for (const kind of ["on_air", "interrupted", "off_air"]) {
    assert.equal(told(live, { kind, at: new Date(CONNECTED - CLOCK_SLACK_MS - 1).toISOString() }, CONNECTED), live);
  }
  assert.equal(hear(live, { kind: "off_air", at: new Date(CONNECTED - CLOCK_SLACK_MS).toISOString() }).state, "ended");
});

test("an interruption of what is off is no news; other kinds are none", () => {
  const offline = asked(NOTHING_KNOWN, off);
  assert.equal(hear(offline, { kind: "interrupted", at: after(1) }), offline);
  assert.equal(hear(live, { kind: "said", at: after(1) }), live);
});

test("on_air without an address keeps the one known", () => {
  assert.equal(hear(asked(live, off), { kind: "on_air", at: after(9) }).playback, on.playback);
});

test("the player ran out", () => {
  assert.equal(playedOut(live).state, "ended");
  const offline = asked(NOTHING_KNOWN, off);
  assert.equal(playedOut(offline), offline);
});

test("moments: ISO 8601, seconds, or none", () => {
  assert.equal(momentMs("2026-11-25T12:00:00.123456Z"), CONNECTED + 123);
  assert.equal(momentMs(1.5), 1500);
  assert.ok(Number.isNaN(momentMs(undefined)));
  assert.equal(told(live, { kind: "off_air" }, CONNECTED).state, "ended"); // No time on it: it is news.
});
