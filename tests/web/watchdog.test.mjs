import assert from "node:assert/strict";
import { test } from "node:test";
import { look, NUDGE_AFTER_MS, RELOAD_AFTER_MS, startWatch } from "../../web/js/core/watchdog.js";

test("nudges once, then reloads, and begins anew", () => {
  let watch = startWatch(0);
  const at = (nowMs, time, meant = true) => {
    const step = look(watch, { nowMs, time, meant });
    watch = step.watch;
    return step.verdict;
  };
  assert.equal(at(1_000, 1), "fine");
  assert.equal(at(1_000 + NUDGE_AFTER_MS - 1, 1), "fine");
  assert.equal(at(1_000 + NUDGE_AFTER_MS, 1), "nudge");
  assert.equal(at(1_000 + NUDGE_AFTER_MS + 1, 1), "fine");
  assert.equal(at(1_000 + RELOAD_AFTER_MS, 1), "reload");
  assert.equal(at(1_000 + RELOAD_AFTER_MS + 1, 1), "fine");
});

test("a moving or a paused picture is fine however long", () => {
  let watch = startWatch(0);
  for (let second = 1; second < 60; second += 1) {
    const step = look(watch, { nowMs: second * 1_000, time: second < 30 ? second : 30, meant: second < 30 });
    assert.equal(step.verdict, "fine");
    watch = step.watch;
  }
});
