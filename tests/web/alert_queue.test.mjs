import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyQueue, heard, held, KNOWN_MAX, resumeAt, shownIds, ticked, waitMs, WAITING_MAX } from "../../web/js/core/alert_queue.js";

const donated = (seq, points = 100, text = "") => ({ kind: "donated", seq, id: `g${seq}`, from: { nickname: `n${seq}` }, points, text });

test("one after another, each shown and a pause between", () => {
  let queue = [donated(5), donated(6)].reduce(heard, emptyQueue(4));
  assert.equal(waitMs(queue, 0), 0);
  queue = ticked(queue, 0);
  assert.equal(queue.shown.seq, 5);
  assert.equal(ticked(queue, 5_999), queue);
  assert.equal(waitMs(queue, 1_000), 5_000);
  queue = ticked(queue, 6_000);
  assert.equal(queue.shown, null);
  assert.equal(ticked(queue, 6_100), queue);
  queue = ticked(queue, 6_700);
  assert.equal(queue.shown.seq, 6);
  queue = ticked(ticked(queue, 20_000), 21_000);
  assert.equal(waitMs(queue, 21_000), null);
});

test("what is heard again is shown once", () => {
  const queue = [donated(4), donated(5), donated(4), donated(5), { kind: "said", seq: 6 }].reduce(heard, emptyQueue(null));
  assert.deepEqual(queue.waiting.map((alert) => alert.id), ["g4", "g5"]);
  assert.equal(queue.seq, 6);
});

test("a store that lost the room's numbers costs no gift and doubles none", () => {
  let queue = [donated(36), donated(37)].reduce(heard, emptyQueue(35));
  queue = ticked(queue, 0);
  // The numbers begin anew; the last gift was not marked as told before, and comes again.
  queue = [{ ...donated(1), id: "g37" }, { ...donated(2), id: "new" }].reduce(heard, queue);
  assert.deepEqual(queue.waiting.map((alert) => [alert.id, alert.seq]), [["g37", 1], ["new", 2]]);
  assert.equal(queue.shown.seq, 0); // Nor are other words read aloud for it.
  assert.deepEqual([queue.seq, resumeAt(queue)], [2, 0]);
  // A number of today does not take back the words of yesterday.
  queue = heard(heard(queue, donated(3)), { kind: "removed", seq: 4, ids: [], seqs: [2] });
  assert.deepEqual(queue.waiting.map((alert) => alert.id), ["g37", "new", "g3"]);
});

test("after a reload a store that lost the room's numbers is known by its epoch", () => {
  const epoch = (name) => ({ kind: "epoch", epoch: name });
  let queue = [epoch("first"), donated(36), donated(37)].reduce(heard, emptyQueue(35));
  assert.deepEqual([queue.epoch, queue.seq, resumeAt(queue)], ["first", 37, 35]);
  queue = heard(queue, epoch("second"));
  assert.deepEqual([queue.epoch, queue.seq, resumeAt(queue)], ["second", 0, 0]);
  queue = [{ ...donated(1), id: "g37" }, { ...donated(2), id: "new" }].reduce(heard, queue);
  assert.deepEqual(queue.waiting.map((alert) => [alert.id, alert.seq]), [["g36", 0], ["g37", 1], ["new", 2]]);
  assert.equal(emptyQueue(36, [], "first").epoch, "first");
});

test("the words of a gift that came again with another number can be taken back", () => {
  let queue = ticked([donated(36, 100, "one"), donated(37, 100, "two")].reduce(heard, emptyQueue(35)), 0);
  queue = [{ ...donated(1, 100, "one"), id: "g36" }, { ...donated(2, 100, "two"), id: "g37" }].reduce(heard, queue);
  queue = heard(queue, { kind: "removed", seq: 3, ids: [], seqs: [1, 2] });
  assert.deepEqual([queue.shown?.text, queue.waiting.map((alert) => alert.text)], ["", [""]]);
});

test("after a reload what was shown is known, whatever its number has become", () => {
  const before = ticked([donated(36), donated(37)].reduce(heard, emptyQueue(35)), 0);
  assert.deepEqual(shownIds(before), ["g36"]);
  const after = [{ ...donated(1), id: "g36" }, { ...donated(2), id: "new" }].reduce(heard, emptyQueue(36, shownIds(before)));
  assert.deepEqual(after.waiting.map((alert) => alert.id), ["new"]);
  let many = emptyQueue(0);
  for (let seq = 1; seq <= KNOWN_MAX + 1; seq += 1) many = heard(many, donated(seq));
  assert.equal(many.known.length, KNOWN_MAX);
});

test("after a reload it goes on before the first that waits, and not again with the one that was shown", () => {
  let queue = [donated(5), { kind: "said", seq: 6 }, donated(7)].reduce(heard, emptyQueue(null));
  assert.equal(resumeAt(queue), 4);
  queue = ticked(queue, 0);
  assert.equal(resumeAt(queue), 6);
  queue = ticked(ticked(ticked(queue, 10_000), 20_000), 30_000);
  assert.equal(resumeAt(queue), 7);
  assert.equal(resumeAt(emptyQueue(null)), null);
});

test("a long message is read to its end, and many that wait are shorter", () => {
  const long = ticked(heard(emptyQueue(null), donated(1, 1, "x".repeat(50))), 0);
  assert.equal(long.untilMs, 9_000);
  const longest = ticked(heard(emptyQueue(null), donated(1, 1, "x".repeat(200))), 0);
  assert.equal(longest.untilMs, 14_000);
  const busy = [1, 2, 3, 4, 5, 6].map((seq) => donated(seq, 1, "x".repeat(200))).reduce(heard, emptyQueue(null));
  assert.equal(ticked(busy, 0).untilMs, 4_000);
});

test("while another scene is on air a gift waits, and what is shown is shown to its end", () => {
  let queue = ticked([donated(5), donated(6)].reduce(heard, emptyQueue(4)), 0);
  assert.equal(waitMs(queue, 0, false), 6_000);
  queue = ticked(queue, 6_000, false);
  assert.equal(queue.shown, null);
  assert.equal(ticked(queue, 90_000, false), queue);
  assert.equal(waitMs(queue, 90_000, false), null);
  assert.equal(resumeAt(queue), 5);
  assert.equal(ticked(queue, 90_000).shown.seq, 6);
});

test("what is read aloud is shown to its end, and nothing else is held", () => {
  const queue = ticked(heard(emptyQueue(null), donated(5)), 0);
  assert.equal(held(queue, "g5", 9_000).untilMs, 9_000);
  assert.equal(held(queue, "g5", 1_000), queue);
  assert.equal(held(queue, "g6", 9_000), queue);
});

test("words that were taken back are not shown, also while they are", () => {
  let queue = [donated(1, 1, "bad"), donated(2, 1, "worse"), donated(3, 1, "good")].reduce(heard, emptyQueue(null));
  queue = heard(ticked(queue, 0), { kind: "removed", seq: 4, ids: [], seqs: [1, 2] });
  assert.equal(queue.shown.text, "");
  assert.deepEqual(queue.waiting.map((alert) => alert.text), ["", "good"]);
  assert.equal(heard(emptyQueue(null), { kind: "removed", seq: 4 }).seq, 4);
});

test("a flood is bounded, and the smallest gives way", () => {
  let queue = emptyQueue(null);
  for (let seq = 1; seq <= WAITING_MAX; seq += 1) queue = heard(queue, donated(seq, 10));
  queue = heard(heard(queue, donated(WAITING_MAX + 1, 5)), donated(WAITING_MAX + 2, 50));
  assert.equal(queue.waiting.length, WAITING_MAX);
  assert.equal(queue.waiting.at(-1).points, 50);
  assert.ok(queue.waiting.every((alert) => alert.points >= 10));
});

test("odd events are no alerts of odd things", () => {
  const queue = heard(emptyQueue(null), { kind: "donated", seq: 1, from: null, points: "9", text: 4 });
  assert.deepEqual(queue.waiting, [{ id: "", seq: 1, nickname: "", points: 0, text: "" }]);
  assert.deepEqual(heard(emptyQueue(null), { kind: "donated" }).waiting, []);
});
