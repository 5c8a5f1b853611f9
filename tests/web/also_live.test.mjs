import assert from "node:assert/strict";
import { test } from "node:test";
import { offered, OFFERED_MAX } from "../../web/js/core/also_live.js";

const HERE = { nickname: "nabi", category: "nap" };
const channel = (nickname, viewers, category = "") => ({ nickname, category, viewers });
const names = (channels) => channels.map(({ nickname }) => nickname);

test("followed first, then the same category, then the most watched, and never the channel itself", () => {
  const channels = [channel("a", 9), channel("nabi", 99, "nap"), channel("b", 1, "nap"), channel("c", 0), channel("d", 5)];
  assert.deepEqual(names(offered(channels, HERE, new Set(["c"]))), ["c", "b", "a", "d"]);
  assert.deepEqual(names(channels), ["a", "nabi", "b", "c", "d"]);
});

test("no category is none in common", () => {
  const channels = [channel("a", 1), channel("b", 2, "nap")];
  assert.deepEqual(names(offered(channels, { nickname: "x", category: "" }, new Set())), ["b", "a"]);
});

test("a row of them", () => {
  const many = Array.from({ length: OFFERED_MAX + 1 }, (_, index) => channel(`n${index}`, index));
  assert.deepEqual(names(offered(many, HERE, new Set())), ["n4", "n3", "n2", "n1"]);
  assert.deepEqual(offered([], HERE, new Set()), []);
});
