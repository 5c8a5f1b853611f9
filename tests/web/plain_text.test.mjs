import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { plain } from "../../web/js/core/plain_text.js";

const LINES = JSON.parse(readFileSync(new URL("../vectors/plain_text/lines.json", import.meta.url), "utf8"));

for (const line of LINES) {
  test(`plain text: ${line.what}`, () => {
    assert.equal(plain(line.typed), line.plain);
    assert.equal(plain(plain(line.typed)), line.plain);
  });
}

test("plain text: one line, without space around it", () => {
  assert.equal(plain("  a\n\n b\u00a0\t"), "a b");
});

for (const blank of ["\u200d\u200d", "\ufe0f", "\u3164 \u2800", "\u0301", "\u202e"]) {
  test(`plain text: nothing where nothing is seen: ${escape(blank)}`, () => assert.equal(plain(blank), ""));
}

for (const seen of ["\u{1f408}\u200d\u2b1b", "1", "?", "\u1100", "\u{1f1f0}\u{1f1f7}"]) {
  test(`plain text: one character is something: ${seen}`, () => assert.equal(plain(seen), seen));
}
