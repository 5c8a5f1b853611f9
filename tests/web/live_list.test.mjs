import assert from "node:assert/strict";
import { test } from "node:test";
import { arranged, CATEGORIES_MAX } from "../../web/js/core/live_list.js";

const channel = (nickname, category = "", viewers = 0, title = "", tags = []) => ({ nickname, category, viewers, title, tags });
const ALL = [channel("나비", "음악", 9), channel("miso", "game", 5, "방 탈출"), channel("toto", "game", 1, "", ["speedrun"]), channel("bori")];
const names = (channels) => channels.map(({ nickname }) => nickname);
const nobody = new Set();

test("everybody, in the house's order, and the categories by how many watch", () => {
  const { followed, others, categories } = arranged(ALL, nobody, { query: "", category: "" });
  assert.deepEqual([names(followed), names(others)], [[], ["나비", "miso", "toto", "bori"]]);
  assert.deepEqual(categories, ["음악", "game"]);
});

test("those one follows are apart", () => {
  const { followed, others } = arranged(ALL, new Set(["toto", "nobody"]), { query: "", category: "" });
  assert.deepEqual([names(followed), names(others)], [["toto"], ["나비", "miso", "bori"]]);
});

for (const [query, found] of [["ㄴㅂ", ["나비"]], ["ㅂ ㅌㅊ", ["miso"]], ["GAME", ["miso", "toto"]], ["speed", ["toto"]], ["zz", []]]) {
  test(`by name, title, category and tag: ${query}`, () => {
    assert.deepEqual(names(arranged(ALL, nobody, { query, category: "" }).others), found);
  });
}

test("by category, which stays to be pressed when it has emptied", () => {
  assert.deepEqual(names(arranged(ALL, nobody, { query: "", category: "game" }).others), ["miso", "toto"]);
  assert.deepEqual(arranged(ALL, nobody, { query: "", category: "gone" }).categories, ["음악", "game", "gone"]);
});

test("a row of categories is bounded", () => {
  const many = Array.from({ length: 40 }, (_, index) => channel(`n${index}`, `c${index}`));
  assert.equal(arranged(many, nobody, { query: "", category: "" }).categories.length, CATEGORIES_MAX);
});
