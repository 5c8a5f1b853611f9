import assert from "node:assert/strict";
import { test } from "node:test";
import { given } from "../../web/js/core/support.js";

const gift = (nickname, points) => ({ kind: "donated", from: { nickname }, points });
const none = { goal: null, supporters: [] };

test("a gift moves the goal and the ranks", () => {
  const goal = { title: "", points: 300, received: 20, since: "" };
  const support = [gift("a", 10), gift("b", 30), gift("a", 15), gift("", 100)].reduce(given, { goal, supporters: [] });
  assert.deepEqual(support.supporters, [{ nickname: "b", points: 30 }, { nickname: "a", points: 25 }]);
  assert.equal(support.goal.received, 175);
});

test("who was first with a sum stays above", () => {
  const support = [gift("a", 10), gift("b", 10), gift("c", 5)].reduce(given, none);
  assert.deepEqual(support.supporters.map((one) => one.nickname), ["a", "b", "c"]);
});

test("odd events change nothing", () => {
  assert.deepEqual(given(none, { kind: "donated", from: null, points: "9" }), none);
});
