import assert from "node:assert/strict";
import { test } from "node:test";
import { isPinned, PIN_SLACK_PIXELS } from "../../web/js/core/pin.js";

test("within the slack the reader follows", () => {
  assert.equal(isPinned({ scrollTop: 900 - PIN_SLACK_PIXELS, clientHeight: 100, scrollHeight: 1000 }), true);
  assert.equal(isPinned({ scrollTop: 899 - PIN_SLACK_PIXELS, clientHeight: 100, scrollHeight: 1000 }), false);
});
