import assert from "node:assert/strict";
import { test } from "node:test";
import { rewind, secondOf, WINDOW_SECONDS_MIN } from "../../web/js/core/rewind.js";

test("at the edge, also when the player drifts a little", () => {
  assert.deepEqual(rewind({ start: 100, edge: 130, time: 129 }), { from: 100, to: 130, at: 130, behindSeconds: 0 });
  assert.equal(rewind({ start: 100, edge: 130, time: 131 }).behindSeconds, 0);
});

test("back in time, and never before what can be had", () => {
  assert.deepEqual(rewind({ start: 100, edge: 130, time: 110 }), { from: 100, to: 130, at: 110, behindSeconds: 20 });
  assert.equal(rewind({ start: 100, edge: 130, time: 90 }).at, 100);
});

for (const [start, edge] of [[0, 0], [0, WINDOW_SECONDS_MIN - 0.1], [Number.NaN, 30], [0, Number.NaN]]) {
  test(`no bar from ${start} to ${edge}`, () => assert.equal(rewind({ start, edge, time: 0 }), null));
}

test("a bar from the shortest window on", () => assert.notEqual(rewind({ start: 0, edge: WINDOW_SECONDS_MIN, time: 0 }), null));

const FRAGMENTS = [
  { start: 0, duration: 2, programDateTime: 1_000_000 },
  { start: 2, duration: 2, programDateTime: 1_002_000 },
  { start: 4, duration: 2, programDateTime: 1_060_000 }, // after an interruption of almost a minute
];
for (const [moment, second] of [[1_000_000, 0], [1_002_500, 2.5], [1_030_000, 4], [1_061_000, 5], [0, 0], [9_999_999, 6]]) {
  test(`the moment ${moment} is second ${second}`, () => assert.equal(secondOf(FRAGMENTS, moment), second));
}

test("a list without dates begins at its beginning", () => {
  assert.equal(secondOf([], 5), 0);
  assert.equal(secondOf([{ start: 3, duration: 1, programDateTime: null }], 5), 0);
});
