import assert from "node:assert/strict";
import { test } from "node:test";
import { faultOf, WORD_CHARACTERS_MAX, wordsOf, WORDS_MAX } from "../../web/js/core/blocked_words.js";

test("one a line or parted by commas, each once", () => {
  assert.deepEqual(wordsOf("spam, 광고\n\n  free   money \nspam,\u1100\u1161"), ["spam", "광고", "free money", "가"]);
  assert.deepEqual(wordsOf(" ,\n"), []);
});

test("too many and too long are told before they are sent", () => {
  const many = Array.from({ length: WORDS_MAX + 1 }, (_, number) => `w${number}`);
  assert.equal(faultOf(many.slice(1)), null);
  assert.equal(faultOf(many).key, "rules.words_too_many");
  assert.equal(faultOf(["\u{1F408}".repeat(WORD_CHARACTERS_MAX)]), null);
  const fault = faultOf(["x".repeat(WORD_CHARACTERS_MAX + 1)]);
  assert.equal(fault.key, "rules.word_too_long");
  assert.equal(fault.vars.word, `${"x".repeat(12)}\u2026`);
});

test("a control is no part of a word", () => assert.deepEqual(wordsOf("a\u0000b\n\u0007\nc\ud800"), ["ab", "c"]));
