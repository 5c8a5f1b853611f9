import assert from "node:assert/strict";
import { test } from "node:test";

import { FAR_SECONDS, NEAR_SECONDS, RATE_MAX, rateOf } from "../../web/js/core/catch_up.js";
import { LIVE_SLACK_SECONDS } from "../../web/js/core/hls_config.js";

const targetSeconds = 0.603;
const now = (/** @type {object} */ changed) => rateOf({ latencySeconds: 1.2, targetSeconds, aheadSeconds: 0.9, ...changed });

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
  assert.equal(now({ latencySeconds: targetSeconds + LIVE_SLACK_SECONDS + 0.1, aheadSeconds: 3 }), 1);
  assert.equal(now({ targetSeconds: null }), 1);
});
