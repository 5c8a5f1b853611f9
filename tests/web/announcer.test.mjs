import assert from "node:assert/strict";
import { test } from "node:test";
import { ANNOUNCE_EVERY_MS, heard, quiet, speak, WAITING_MAX } from "../../web/js/core/announcer.js";

test("at most every five seconds, the newest few, nothing twice", () => {
  let state = quiet();
  assert.deepEqual(speak(state, 0), { announcer: state, text: null, dueInMs: null });
  const first = speak(heard(state, "a"), 0);
  assert.equal(first.text, "a");
  state = first.announcer;
  for (let index = 0; index < WAITING_MAX + 2; index += 1) state = heard(state, `${index}`);
  const early = speak(state, ANNOUNCE_EVERY_MS - 1);
  assert.deepEqual([early.text, early.dueInMs], [null, 1]);
  const due = speak(early.announcer, ANNOUNCE_EVERY_MS);
  assert.equal(due.text, ["2", "3", "4"].join("\n"));
  assert.equal(speak(due.announcer, 10 * ANNOUNCE_EVERY_MS).text, null);
});
