import assert from "node:assert/strict";
import { test } from "node:test";
import { waitMs, WAIT_FIRST_MS, WAIT_MAX_MS } from "../../web/js/core/backoff.js";

test("doubles, is random in its upper half, ends at WAIT_MAX_MS", () => {
  assert.equal(waitMs(0, 1), WAIT_FIRST_MS);
  assert.equal(waitMs(0, 0), WAIT_FIRST_MS / 2);
  assert.equal(waitMs(1, 1), 2 * WAIT_FIRST_MS);
  assert.equal(waitMs(1_000, 1), WAIT_MAX_MS);
});
