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
