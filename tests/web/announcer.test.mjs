import assert from "node:assert/strict";
import { test } from "node:test";
import { ANNOUNCE_EVERY_MS, heard, news, quiet, speak, WAITING_MAX } from "../../web/js/core/announcer.js";

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

test("gifts and lines to the reader are news, and what was said before the room was entered is not", () => {
  const said = (seq, at, more = {}) => ({ key: `${seq}:`, kind: "said", seq, at, mentioned: false, ...more });
  const enteredMs = Date.parse("2026-11-27T01:00:00Z");
  const old = said(1, "2026-11-27T00:59:59.999Z", { kind: "donated" });
  const drawn = said(2, "2026-11-27T00:59:58Z");
  const lines = [
    old,
    drawn,
    said(3, "2026-11-27T01:00:00Z"),
    said(4, "2026-11-27T01:00:00Z", { mentioned: true }),
    said(5, "2026-11-27T01:00:01.5Z", { kind: "donated" }),
  ];
  const told = (before) => news(before, lines, enteredMs).map((line) => line.seq);

  assert.deepEqual(told([]), [4, 5], "also where the first draw brought nothing, or half of the history");
  assert.deepEqual(told([drawn]), [4, 5]);
  assert.deepEqual(told(lines.slice(0, 4)), [5]);
  assert.deepEqual(news([], lines, Number.NaN).map((line) => line.seq), [1, 4, 5], "a clock that is not known hides nothing");
});

test("a line that was told without its number is not told again with it", () => {
  const line = (seq) => ({ key: `${seq}:a`, kind: "said", seq, nickname: "mia", id: "a", at: "2026-11-27T01:00:00Z", mentioned: true });

  assert.deepEqual(news([line(0)], [line(7)], 0), []);
  assert.equal(news([], [line(7)], 0).length, 1);
});
