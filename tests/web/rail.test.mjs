// The channels at the side: whom one follows, awake first; others, a few.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ASLEEP_MAX, besides, OTHERS_MAX } from "../../web/js/core/rail.js";

const channel = (nickname) => ({ nickname, title: "", category: "", tags: [], viewers: 0 });
const names = (channels) => channels.map(({ nickname }) => nickname);

test("whom one follows is told from the others, in the house's order, and the sleeping come apart", () => {
  const { awake, asleep, others } = besides(["a", "b", "c"].map(channel), new Set(["z", "c", "a"]));

  assert.deepEqual(names(awake), ["a", "c"]);
  assert.deepEqual(asleep, ["z"]);
  assert.deepEqual(names(others), ["b"]);
});

test("who follows nobody sees who is on air", () => {
  const { awake, asleep, others } = besides([channel("a")], new Set());

  assert.deepEqual([awake, asleep, names(others)], [[], [], ["a"]]);
});

test("the lists have an end", () => {
  const many = Array.from({ length: 100 }, (_, index) => `n${index}`);

  assert.equal(besides(many.map(channel), new Set()).others.length, OTHERS_MAX);
  assert.equal(besides([], new Set(many)).asleep.length, ASLEEP_MAX);
});
