import assert from "node:assert/strict";
import { test } from "node:test";
import { tagsOf } from "../../web/js/core/tags.js";

for (const [text, tags] of [
  ["", []],
  [" , ,", []],
  ["고양이, 낮잠", ["고양이", "낮잠"]],
  ["#cat,# cat , CAT", ["cat", "CAT"]],
  ["가、나，다", ["가", "나", "다"]],
]) {
  test(`"${text}"`, () => assert.deepEqual(tagsOf(text), tags));
}
