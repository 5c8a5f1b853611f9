import assert from "node:assert/strict";
import { test } from "node:test";
import { captionsOf } from "../../web/js/core/captions.js";

const track = (kind, language, mode = "hidden") => ({ kind, language, mode });

test("captions and subtitles are to be read, other tracks are not", () => {
  const all = [track("metadata", ""), track("captions", "ko"), track("chapters", "ko"), track("subtitles", "en")];
  assert.deepEqual(captionsOf(all, "ko").tracks, [all[1], all[3]]);
  assert.deepEqual(captionsOf([all[0]], "ko"), { tracks: [], shown: null, best: null });
});

test("the best is in the reader's language, else the first", () => {
  const all = [track("captions", "en-GB"), track("captions", "ko-KR")];
  assert.equal(captionsOf(all, "ko").best, all[1]);
  assert.equal(captionsOf(all, "en").best, all[0]);
  assert.equal(captionsOf([track("captions", "")], "ko").best.language, "");
});

test("what is shown is shown whatever is best", () => {
  const all = [track("captions", "en", "showing"), track("captions", "ko")];
  assert.deepEqual([captionsOf(all, "ko").shown, captionsOf(all, "ko").best], [all[0], all[1]]);
});
