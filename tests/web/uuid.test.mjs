import assert from "node:assert/strict";
import { test } from "node:test";
import { uuidFrom } from "../../web/js/core/uuid.js";

test("version 4, variant 1, the bytes given, and they are not changed", () => {
  const bytes = new Uint8Array(16).fill(0xff);
  assert.equal(uuidFrom(bytes), "ffffffff-ffff-4fff-bfff-ffffffffffff");
  assert.equal(bytes[6], 0xff);
  assert.equal(uuidFrom(new Uint8Array(16)), "00000000-0000-4000-8000-000000000000");
});
