import assert from "node:assert/strict";
import { test } from "node:test";
import { BEAT_MS, drawn, startCredit, WINDOW_MAX, WINDOW_MIN } from "../../web/js/core/credit.js";
import {
  pressed, PUT_OFF_MS_MAX, putsOff, SEEN_MS_MAX, seenLate, shown, startTyping, TYPING_FORGOTTEN_MS, TYPING_MS, TYPING_STEP,
  windowMost,
} from "../../web/js/core/typing.js";

const KEY_EVERY_MS = 100;

test("who does not type is not held back", () => {
  const late = seenLate(pressed(startTyping(), 1_000), 40);
  assert.equal(windowMost(startTyping(), 0), WINDOW_MAX);
  assert.equal(windowMost(late, 1_000 + TYPING_MS - 1), 20);
  assert.equal(windowMost(late, 1_000 + TYPING_MS), WINDOW_MAX);
});

test("a key that was slow halves the window, and each that is not opens it again", () => {
  let typing = seenLate(pressed(startTyping(), 0), 60);
  assert.equal(windowMost(typing, 0), 30);
  typing = seenLate(typing, 60); // The window is still on its way down.
  assert.equal(windowMost(typing, 0), 15);
  typing = pressed(typing, 50);
  assert.equal(windowMost(typing, 50), 15 + TYPING_STEP);
  for (let index = 0; index < 10; index += 1) typing = seenLate(typing, 60);
  assert.equal(windowMost(typing, 50), WINDOW_MIN);
  for (let index = 0; index < 2 * WINDOW_MAX; index += 1) typing = pressed(typing, 50);
  assert.equal(windowMost(typing, 50), WINDOW_MAX);
  assert.ok(SEEN_MS_MAX % 8 === 0 && SEEN_MS_MAX < 100);
});

test("a slow moment is forgotten by whoever comes back to type much later", () => {
  const late = seenLate(pressed(startTyping(), 0), 60);
  assert.equal(pressed(late, TYPING_FORGOTTEN_MS).most, 30 + TYPING_STEP);
  assert.equal(pressed(late, TYPING_FORGOTTEN_MS + 1).most, WINDOW_MAX);
});

test("a draw leaves its frame to a key, and not for longer than a beat", () => {
  assert.equal(putsOff(startTyping(), 0, 0), false);
  let typing = pressed(startTyping(), 1_000);
  assert.equal(putsOff(typing, 1_010, 0), true);
  typing = shown(typing, 1_016);
  assert.equal(putsOff(typing, 1_016, 0), true); // The same frame.
  assert.equal(putsOff(typing, 1_033, 0), false);
  assert.equal(putsOff(pressed(typing, 1_034), 1_050, PUT_OFF_MS_MAX), false);
  assert.ok(PUT_OFF_MS_MAX <= BEAT_MS);
});

/** A minute of a room that always has more, drawn at this price. @returns lines, and which share of the keys was slow */
function minute({ drawMs, lineMs, types }) {
  let credit = startCredit();
  let asked = credit.window;
  let typing = startTyping();
  let [lines, keys, late, sinceMs] = [0, 0, 0, BEAT_MS];
  for (let nowMs = 0; nowMs < 60_000; nowMs += sinceMs) {
    const costMs = drawMs + lineMs * asked;
    for (; types && keys * KEY_EVERY_MS <= nowMs; keys += 1) {
      typing = pressed(typing, nowMs);
      // It waits for the draw at worst.
      if (costMs * ((keys * 7) % 10) * 0.1 > SEEN_MS_MAX) {
        late += 1;
        typing = seenLate(typing, credit.window);
      }
    }
    const step = drawn(credit, { taken: asked, costMs, sinceMs, most: windowMost(typing, nowMs) });
    lines += asked;
    credit = step.credit;
    asked = credit.window - credit.owed > 0 ? step.ask : 0;
    sinceMs = Math.max(BEAT_MS, costMs) + (types ? PUT_OFF_MS_MAX : 0);
  }
  return { lines, late: late / keys };
}

test("where every draw is dear, whoever types gets on as fast as whoever does not", () => {
  for (const drawMs of [200, 500, 2_000]) {
    const [silent, typing] = [minute({ drawMs, lineMs: 1, types: false }), minute({ drawMs, lineMs: 1, types: true })];
    assert.ok(silent.lines >= WINDOW_MIN * Math.floor(60_000 / (drawMs + 40)), `${drawMs} ms: ${silent.lines}`);
    // What is lost is what its draws were put off by.
    assert.ok(typing.lines >= (0.9 * silent.lines * drawMs) / (drawMs + PUT_OFF_MS_MAX), `${drawMs} ms: ${typing.lines} of ${silent.lines}`);
  }
});

test("where lines are dear, fewer are drawn until the keys are in time; where nothing is, none is lost", () => {
  const dear = minute({ drawMs: 10, lineMs: 2, types: true });
  assert.ok(dear.late < 0.1, `${dear.late}`);
  assert.ok(dear.lines > 60 * WINDOW_MIN);
  const cheap = { drawMs: 5, lineMs: 0.1 };
  const [silent, typing] = [minute({ ...cheap, types: false }), minute({ ...cheap, types: true })];
  assert.equal(typing.late, 0);
  assert.ok(typing.lines >= 0.99 * silent.lines * (BEAT_MS / (BEAT_MS + PUT_OFF_MS_MAX)));
});
