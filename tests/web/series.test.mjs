import assert from "node:assert/strict";
import { test } from "node:test";
import { extent, FIGURES, joined, lines, nextOf, SAMPLES_MAX } from "../../web/js/core/series.js";

const BOX = { width: 100, height: 20 };

/** Samples with these numbers, each its own number in every figure. */
function stretch(first, count) {
  const series = Array.from({ length: count }, (_, index) => first + index);
  return { every_seconds: 5, first, ...Object.fromEntries(FIGURES.map((name) => [name, series])) };
}

test("what is new follows what is known", () => {
  assert.equal(nextOf(null), 0);
  const known = joined(null, stretch(3, 2));
  assert.equal(nextOf(known), 5);
  assert.deepEqual(joined(known, stretch(5, 1)), stretch(3, 3));
  assert.deepEqual(joined(known, stretch(5, 0)), known);
});

test("the newest are kept, the oldest go", () => {
  const whole = joined(stretch(0, SAMPLES_MAX), stretch(SAMPLES_MAX, 2));
  assert.deepEqual(whole, stretch(2, SAMPLES_MAX));
});

test("another broadcast does not follow this one", () => {
  assert.equal(joined(stretch(0, 9), stretch(2, 0)), null);
  assert.equal(joined(stretch(0, 9), stretch(12, 4)), null);
});

test("now, the least and the most", () => {
  assert.deepEqual(extent([3, null, 7, 5]), { now: 5, least: 3, most: 7 });
  assert.deepEqual(extent([3, null]), { now: null, least: 3, most: 3 });
  assert.equal(extent([null, null]), null);
  assert.equal(extent([]), null);
});

test("a line goes over the whole width, the most at the top", () => {
  assert.deepEqual(lines([0, 5, 10], BOX), ["0,20 50,10 100,0"]);
});

test("where nothing is known the line has a gap", () => {
  assert.deepEqual(lines([null, 10, 5, null, 10], BOX), ["25,0 50,10", "100,0 100,0"]);
  assert.deepEqual(lines([null], BOX), []);
});

test("nothing but noughts lies at the bottom, one value draws a dot, none draws nothing", () => {
  assert.deepEqual(lines([0, 0], BOX), ["0,20 100,20"]);
  assert.deepEqual(lines([3], BOX), ["0,0 0,0"]);
  assert.deepEqual(lines([], BOX), []);
});
