import assert from "node:assert/strict";
import { test } from "node:test";

import { EVENT_CHARS_MAX, feed } from "../../web/js/core/event_stream.js";

const STREAM = 'data: {"state":"ready"}\n\n: here\n\ndata: one\ndata: two\n\ndata:\n\n: here\n\n';
const EVENTS = ['{"state":"ready"}', "one\ntwo", ""];

test("whole, and with a tail that waits", () => {
  assert.deepEqual(feed("", STREAM), { data: EVENTS, rest: "" });
  assert.deepEqual(feed("", `${STREAM}data: ha`), { data: EVENTS, rest: "data: ha" });
  assert.deepEqual(feed("data: ha", "lf\n\n"), { data: ["half"], rest: "" });
});

test("character by character", () => {
  const data = [];
  let rest = "";
  for (const character of STREAM) {
    const taken = feed(rest, character);
    data.push(...taken.data);
    rest = taken.rest;
  }
  assert.deepEqual(data, EVENTS);
  assert.equal(rest, "");
});

test("an event without end is none", () => {
  assert.throws(() => feed("", "x".repeat(EVENT_CHARS_MAX + 1)), RangeError);
});
