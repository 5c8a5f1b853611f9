import assert from "node:assert/strict";
import { test } from "node:test";
import { words } from "../../web/js/core/i18n.js";
import { asProblem, Problem, problemFrom, sentence } from "../../web/js/core/problem.js";

const spoken = words("en", {
  "error.internal": "Broken.",
  "error.internal_incident": "Broken ({incident}).",
  "error.limit.too_fast": { one: "Wait {count} second.", other: "Wait {count} seconds." },
});

test("the house's own refusal is read in full", () => {
  const body = { code: "limit.too_fast", retry: true, retry_after_ms: 1500, field: "nickname", incident: "abc" };
  const problem = problemFrom(body, "internal", { status: 429 });
  assert.deepEqual(
    [problem.code, problem.retry, problem.retryAfterMs, problem.field, problem.incident, problem.status, problem.unknown],
    ["limit.too_fast", true, 1500, "nickname", "abc", 429, false],
  );
});

for (const body of [null, "nope", 7, {}, { code: 7 }, { code: "<script>" }, { code: "Points.Self" }, [], { code: "" }]) {
  test(`what is not ours falls back: ${JSON.stringify(body)}`, () => {
    assert.equal(problemFrom(body, "wire.lost", { unknown: true }).code, "wire.lost");
    assert.equal(problemFrom(body, "wire.lost", { unknown: true }).unknown, true);
  });
}

test("seconds are rounded up, and never none", () => {
  assert.equal(sentence(spoken, new Problem("limit.too_fast", { retryAfterMs: 1001 })), "Wait 2 seconds.");
  assert.equal(sentence(spoken, new Problem("limit.too_fast")), "Wait 1 second.");
});

test("a code without words says that something broke, and which incident", () => {
  assert.equal(sentence(spoken, new Problem("no.such")), "Broken.");
  assert.equal(sentence(spoken, new Problem("no.such", { incident: "f00" })), "Broken (f00).");
});

test("our own bugs are `internal`", () => {
  assert.equal(asProblem(new TypeError("x")).code, "internal");
  const problem = new Problem("points.self");
  assert.equal(asProblem(problem), problem);
});
