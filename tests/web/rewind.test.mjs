import assert from "node:assert/strict";
import { test } from "node:test";
import { rewind, WINDOW_SECONDS_MIN } from "../../web/js/core/rewind.js";

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
