import assert from "node:assert/strict";
import { test } from "node:test";
import { percent } from "../../web/js/core/goal.js";

test("a goal is at 100 when it is reached, and not before", () => {
  assert.deepEqual(
    [0, 1, 299, 300, 900, -5].map((received) => percent({ points: 300, received })),
    [0, 0, 99, 100, 100, 0],
  );
  assert.equal(percent({ points: 0, received: 5 }), 0);
});
