import assert from "node:assert/strict";
import { test } from "node:test";
import { holds } from "../../web/js/core/search.js";

for (const [text, query, found] of [
  ["고양이 낮잠", "", true],
  ["고양이 낮잠", "고양이", true],
  ["고양이 낮잠", "양이낮", true],
  ["고양이 낮잠", "ㄱㅇㅇ", true],
  ["고양이 낮잠", "ㄴㅈ", true],
  ["고양이 낮잠", "ㅇㅇㄴ", true],
  ["고양이 낮잠", "고ㅇ이", true],
  ["고양이 낮잠", "고야", true], // on the way to its final
  ["고양이 낮잠", "고양잇", false],
  ["고양이 낮잠", "야이", false], // not finished, but not the last either
  ["고양이", "ㄲㅇㅇ", false],
  ["까치", "ㄲㅊ", true],
  ["힣", "ㅎ", true],
  ["가", "ㄱ", true],
  ["ㅋㅋㅋ", "ㅋㅋ", true],
  ["Rainy Window", "rain", true],
  ["Rainy Window", "YWIN", true],
  ["Rainy Window", "sun", false],
  ["고양이", "고양이 ", true], // decomposed, as macOS types file names
  ["😺 cat", "😺", true],
  ["", "a", false],
  ["$&.*", ".*", true],
]) {
  test(`"${query}" in "${text}": ${found}`, () => assert.equal(holds(text, query), found));
}
