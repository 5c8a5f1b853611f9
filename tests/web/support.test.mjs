import assert from "node:assert/strict";
import { test } from "node:test";
import { given, KNOWN_MAX } from "../../web/js/core/support.js";

const gift = (nickname, points) => ({ kind: "donated", from: { nickname }, points });
const none = { goal: null, supporters: [], known: [] };

test("a gift moves the goal and the ranks", () => {
  const goal = { title: "", points: 300, received: 20, since: "" };
  const support = [gift("a", 10), gift("b", 30), gift("a", 15), gift("", 100)].reduce(given, { goal, supporters: [], known: [] });
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

test("a gift that is told again, as after the store lost its history, counts once", () => {
  const told = (id) => ({ ...gift("a", 10), id });
  const support = [told("x"), told("y"), told("x")].reduce(given, none);
  assert.deepEqual(support.supporters, [{ nickname: "a", points: 20 }]);
  assert.equal(given(support, told("y")), support);
});

test("so many gifts are remembered", () => {
  const all = Array.from({ length: KNOWN_MAX + 1 }, (_, index) => ({ ...gift("a", 1), id: `${index}` }));
  const support = all.reduce(given, none);
  assert.equal(support.known.length, KNOWN_MAX);
  assert.equal(given(support, all[1]), support);
  assert.notEqual(given(support, all[0]), support);
});
