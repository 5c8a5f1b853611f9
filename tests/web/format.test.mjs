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

test("how long ago, by the largest unit that is full", () => {
  const [english, korean] = [formats("en"), formats("ko")];
  const hour = 3_600_000;
  const day = 24 * hour;
  assert.equal(english.ago(-5), "0 seconds ago");
  assert.equal(english.ago(59_999), "59 seconds ago");
  assert.equal(english.ago(60_000), "1 minute ago");
  assert.equal(english.ago(3.99 * hour), "3 hours ago");
  assert.equal(korean.ago(3.99 * hour), "3시간 전");
  assert.equal(english.ago(6.9 * day), "6 days ago");
  assert.equal(english.ago(7 * day), "1 week ago");
  assert.equal(english.ago(30 * day), "4 weeks ago");
  assert.equal(korean.ago(31 * day), "1개월 전");
  assert.equal(english.ago(365 * day), "11 months ago");
  assert.equal(korean.ago(800 * day), "2년 전");
});

test("durations", () => {
  assert.equal(duration(0), "0:00");
  assert.equal(duration(-5), "0:00");
  assert.equal(duration(245_999), "4:05");
  assert.equal(duration(3_845_000), "1:04:05");
});
