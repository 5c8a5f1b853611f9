import assert from "node:assert/strict";
import { test } from "node:test";
import { drafted, DRAFTS_MAX, emptyLog, next, refused, restored } from "../../web/js/core/chat_log.js";
import { read, written } from "../../web/js/core/unsent.js";

test("each refused line is kept by its own id, and one that was on its way is told to be unknown", () => {
  let log = drafted(drafted(drafted(emptyLog("mia"), "a", "one"), "b", "two"), "c", "three");
  log = refused(refused(log, "a", "chat.slow", 3_000), "b", "auth.members_only");
  const kept = read(written(log.drafts));
  assert.deepEqual(kept, [
    { id: "a", text: "one", code: "chat.slow", retryAfterMs: 0 },
    { id: "b", text: "two", code: "auth.members_only", retryAfterMs: 0 },
    { id: "c", text: "three", code: "wire.lost", retryAfterMs: 0 },
  ]);
  // The room's echo clears what was said all the same.
  const echo = { kind: "said", seq: 1, id: "c", from: { nickname: "mia" }, text: "three", at: "" };
  assert.deepEqual(next(restored(emptyLog("mia"), kept), echo).drafts.map((draft) => draft.id), ["a", "b"]);
});

test("nothing is kept of nothing", () => assert.equal(written([]), ""));

for (const count of [DRAFTS_MAX, DRAFTS_MAX + 1]) {
  test(`never more than DRAFTS_MAX: ${count}`, () => {
    const many = Array.from({ length: count }, (_, index) => ({ id: `x${index}`, text: "", code: "chat.slow", retryAfterMs: 0 }));
    const kept = read(written(many));
    assert.equal(kept.length, DRAFTS_MAX);
    assert.equal(kept.at(-1)?.id, `x${count - 1}`);
  });
}

for (const strange of ["", "{", "null", "7", "{}", '"x"', "[null, 7, {}, [], {\"id\": 1, \"text\": \"x\"}, {\"id\": \"x\"}]"]) {
  test(`what is not ours is nothing: ${strange}`, () => assert.deepEqual(read(strange), []));
}
