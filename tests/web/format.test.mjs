import assert from "node:assert/strict";
import { test } from "node:test";
import { duration, formats } from "../../web/js/core/format.js";

test("each language in its own way", () => {
  const english = formats("en", "UTC");
  assert.equal(english.count(1234567), "1,234,567");
  assert.equal(english.compact(1234), "1.2K");
  assert.equal(formats("ko", "UTC").compact(12345), "1.2만");
  assert.equal(english.seconds(1.26), "1.3");
  assert.equal(english.won(11_900), "\u20a911,900");
  assert.equal(english.clock("2026-11-25T09:05:00Z"), "09:05");
  assert.equal(english.clock("never"), "");
  assert.match(english.day("2026-11-25T09:05:00Z"), /2026/);
});

test("durations", () => {
  assert.equal(duration(0), "0:00");
  assert.equal(duration(-5), "0:00");
  assert.equal(duration(245_999), "4:05");
  assert.equal(duration(3_845_000), "1:04:05");
});
