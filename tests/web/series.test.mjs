import assert from "node:assert/strict";
import { test } from "node:test";
import { added, points, SAMPLES_MAX } from "../../web/js/core/series.js";

const BOX = { width: 100, height: 20 };

test("the newest are kept, the oldest go", () => {
  let series = [];
  for (let value = 0; value <= SAMPLES_MAX; value += 1) series = added(series, value);
  assert.deepEqual([series.length, series[0], series.at(-1)], [SAMPLES_MAX, 1, SAMPLES_MAX]);
});

test("the line goes over the whole width, the most at the top", () => {
  assert.equal(points([0, 5, 10], BOX), "0,20 50,10 100,0");
});

test("nothing but noughts lies at the bottom, one value draws a point, none draws nothing", () => {
  assert.equal(points([0, 0], BOX), "0,20 100,20");
  assert.equal(points([3], BOX), "0,0");
  assert.equal(points([], BOX), "");
});
