import assert from "node:assert/strict";
import { test } from "node:test";

import { FAR_SECONDS, JUMP_SECONDS, jumpOf, NEAR_SECONDS, RATE_MAX, rateOf } from "../../web/js/core/catch_up.js";
import { LIVE_SLACK_SECONDS } from "../../web/js/core/hls_config.js";

const targetSeconds = 0.603;
const known = { latencySeconds: 1.2, targetSeconds, aheadSeconds: 0.9, stays: false };
const now = (/** @type {object} */ changed) => rateOf({ ...known, ...changed });
const jump = (/** @type {object} */ changed) => jumpOf({ ...known, ...changed });

test("a viewer who is behind and has enough in hand plays faster", () => {
  assert.equal(now({}), RATE_MAX);
  assert.equal(now({ latencySeconds: targetSeconds + FAR_SECONDS }), RATE_MAX);
  assert.equal(now({ latencySeconds: targetSeconds + 0.2 }), (1 + RATE_MAX) / 2);
});

test("one who is near enough, or has no more than the hold-back, plays as it is", () => {
  assert.equal(now({ latencySeconds: targetSeconds + NEAR_SECONDS - 0.01 }), 1);
  assert.equal(now({ latencySeconds: 0 }), 1);
  assert.equal(now({ aheadSeconds: targetSeconds }), 1);
  assert.equal(now({ aheadSeconds: 0 }), 1);
});

test("one who went back, and one of whom nothing is known, are left alone", () => {
  assert.equal(now({ latencySeconds: targetSeconds + LIVE_SLACK_SECONDS + 0.1, aheadSeconds: 3, stays: true }), 1);
  assert.equal(now({ targetSeconds: null }), 1);
});

test("one whom a line that broke left behind is brought to the edge: faster, and from far away by a jump over what is in hand", () => {
  const latencySeconds = targetSeconds + JUMP_SECONDS;
  assert.equal(now({ latencySeconds: targetSeconds + LIVE_SLACK_SECONDS + 0.1, aheadSeconds: 3 }), RATE_MAX);
  assert.ok(Math.abs(jump({ latencySeconds, aheadSeconds: JUMP_SECONDS + targetSeconds / 2 + 0.01 }) - JUMP_SECONDS) < 1e-6);
  assert.equal(jump({ latencySeconds: latencySeconds - 0.1, aheadSeconds: 9 }), 0);
  // It would land with next to nothing to play.
  assert.equal(jump({ latencySeconds, aheadSeconds: JUMP_SECONDS + 0.1 }), 0);
  assert.equal(jump({ latencySeconds, aheadSeconds: 9, stays: true }), 0);
  assert.equal(jump({ latencySeconds, aheadSeconds: 9, targetSeconds: null }), 0);
});
