import assert from "node:assert/strict";
import { test } from "node:test";
import { LINES_MAX } from "../../web/js/core/chat_log.js";
import {
  BEAT_MS, COST_SHARE_MAX, drawn, FULL_SHARE, nextDrawAt, startCredit, WINDOW_MAX, WINDOW_MIN, WINDOW_START, WINDOW_STEP,
} from "../../web/js/core/credit.js";

test("the limits hold together", () => {
  assert.ok(WINDOW_MIN <= WINDOW_START && WINDOW_START <= WINDOW_MAX);
  assert.equal(WINDOW_MAX, LINES_MAX);
});

test("what was drawn is asked for again, no more", () => {
  const { credit, ask } = drawn(startCredit(), { taken: 5, costMs: 1, sinceMs: 100 });
  assert.equal(ask, 5);
  assert.deepEqual(credit, { window: WINDOW_START, owed: 0 });
});

test("nothing drawn, nothing asked", () => {
  assert.equal(drawn(startCredit(), { taken: 0, costMs: 0, sinceMs: 100 }).ask, 0);
});

test("a full window opens, up to WINDOW_MAX", () => {
  const full = Math.ceil(FULL_SHARE * WINDOW_START);
  const { credit, ask } = drawn(startCredit(), { taken: full, costMs: 1, sinceMs: 100 });
  assert.equal(credit.window, WINDOW_START + WINDOW_STEP);
  assert.equal(ask, full + WINDOW_STEP);
  assert.equal(drawn(startCredit(), { taken: full - 1, costMs: 1, sinceMs: 100 }).credit.window, WINDOW_START);
  const wide = drawn({ window: WINDOW_MAX, owed: 0 }, { taken: WINDOW_MAX, costMs: 1, sinceMs: 100 });
  assert.deepEqual([wide.credit.window, wide.ask], [WINDOW_MAX, WINDOW_MAX]);
});

test("a dear draw closes the window and pays the difference off before asking", () => {
  const edge = COST_SHARE_MAX * 100;
  assert.equal(drawn(startCredit(), { taken: 2, costMs: edge, sinceMs: 100 }).credit.window, WINDOW_START);
  const first = drawn(startCredit(), { taken: 2, costMs: edge + 1, sinceMs: 100 });
  assert.deepEqual(first, { credit: { window: 24, owed: -6 }, ask: 0 });
  const second = drawn(first.credit, { taken: 10, costMs: 1, sinceMs: 100 });
  assert.deepEqual(second, { credit: { window: 24, owed: 0 }, ask: 4 });
});

test("who types has a smaller window at once, and it opens again by steps", () => {
  const first = drawn({ window: 100, owed: 0 }, { taken: 100, costMs: 1, sinceMs: 100, most: 20 });
  assert.deepEqual(first, { credit: { window: 20, owed: 0 }, ask: 20 });
  assert.equal(drawn(first.credit, { taken: 20, costMs: 1, sinceMs: 100 }).credit.window, 20 + WINDOW_STEP);
});

test("the window never closes below WINDOW_MIN", () => {
  let credit = startCredit();
  for (let index = 0; index < 50; index += 1) credit = drawn(credit, { taken: 1, costMs: 90, sinceMs: 100 }).credit;
  assert.equal(credit.window, WINDOW_MIN);
});

test("credit in flight is always the window: asked in all = consumed in all + window", () => {
  let credit = startCredit();
  let asked = credit.window;
  let taken = 0;
  for (let index = 0; index < 2_000; index += 1) {
    const available = asked - taken;
    const batch = Math.min(available, (index * 37) % 60);
    const step = drawn(credit, { taken: batch, costMs: (index * 13) % 50, sinceMs: 80 + (index % 40) });
    taken += batch;
    asked += step.ask;
    credit = step.credit;
    assert.equal(asked - taken, credit.window - credit.owed);
    assert.ok(asked - taken <= WINDOW_MAX);
  }
  assert.ok(taken > 1_000);
});

test("a beat lies between two draws, and none is late for a quiet room", () => {
  assert.equal(nextDrawAt(1_000, 1_010), 1_000 + BEAT_MS);
  assert.equal(nextDrawAt(1_000, 5_000), 5_000);
});
