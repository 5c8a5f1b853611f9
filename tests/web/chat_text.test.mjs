import assert from "node:assert/strict";
import { test } from "node:test";
import { CHARACTERS_MAX, chatLine, mentions } from "../../web/js/core/chat_text.js";

test("chat line: one line, trimmed, counted in characters", () => {
  assert.deepEqual(chatLine("  a\n\n b  "), { text: "a b", left: CHARACTERS_MAX - 3, fits: true });
  assert.equal(chatLine(" \n ").fits, false);
  assert.equal(chatLine("😺".repeat(CHARACTERS_MAX)).fits, true);
  const family = "\u{1f468}\u200d\u{1f469}\u200d\u{1f467}";
  assert.equal(chatLine(family.repeat(100)).left, CHARACTERS_MAX - 100);
  assert.equal(chatLine(`a${"\u0301".repeat(3_000)}`).fits, false);
  assert.deepEqual([chatLine("x".repeat(CHARACTERS_MAX + 1)).fits, chatLine("x".repeat(CHARACTERS_MAX + 1)).left], [false, -1]);
});

test("mentions: a name with its particle, not a longer name", () => {
  assert.equal(mentions("@미아는 자요", "미아"), true);
  assert.equal(mentions("hey @MIA!", "mia"), true);
  assert.equal(mentions("@miami", "mia"), false);
  assert.equal(mentions("@miami and @mia", "mia"), true);
  assert.equal(mentions("mia", "mia"), false);
  assert.equal(mentions("@mia", null), false);
  assert.equal(mentions("@", ""), false);
});

test("a control or half a character is no part of a line, and none by itself", () => {
  assert.equal(chatLine("a\u0000b\u001b[31m \ud800c\n").text, "ab[31m c");
  assert.equal(chatLine("\u0000\ud83d").fits, false);
});
