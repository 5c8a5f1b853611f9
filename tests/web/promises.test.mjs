import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";

const web = resolve(import.meta.dirname, "../../web");
const read = (path) => readFileSync(resolve(web, path), "utf8");
/** What is given is given: no word of a way back, where there is none. */
const WAY_BACK = { ko: /취소|철회|되돌|돌려받|환불|무르/, en: /undo|cancel|revert|refund|tak\w+ (?:it )?back|giv\w+ back|return/i };
/** And these say that there is none. */
const NO_WAY_BACK = { "donate.note": { ko: /되돌릴 수 없/, en: /cannot be taken back/ } };
/** Points that were charged and not used do go back, for seven days. */
const REFUND = ["wallet.vat"];
/** How an order may end, told of orders that have. */
const ENDED = /^order\.state\.(?:refund|void|cancel)/;

/** Keys that a file names, and all that begin as one does of which it names the beginning. */
function keysOf(source, catalogue) {
  const begun = [...source.matchAll(/`([\w.]+\.)\$\{/g)].map(([, start]) => start);
  return Object.keys(catalogue).filter((key) => source.includes(`"${key}"`) || begun.some((start) => key.startsWith(start)));
}

for (const language of ["ko", "en"]) {
  const catalogue = JSON.parse(read(`i18n/${language}.json`));
  for (const dialog of ["donate_dialog", "top_up_desk"]) {
    test(`${dialog} promises no way back, in ${language}`, () => {
      const keys = keysOf(read(`js/elements/${dialog}.js`), catalogue);
      assert.ok(keys.length > 10, keys.join());
      for (const key of keys.filter((one) => !REFUND.includes(one) && !ENDED.test(one))) {
        for (const words of [catalogue[key]].flatMap((phrase) => (typeof phrase === "string" ? phrase : Object.values(phrase)))) {
          if (key in NO_WAY_BACK) assert.match(words, NO_WAY_BACK[key][language]);
          else assert.doesNotMatch(words, WAY_BACK[language], key);
        }
      }
    });
  }
}
