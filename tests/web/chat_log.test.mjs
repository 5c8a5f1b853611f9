import assert from "node:assert/strict";
import { test } from "node:test";
import { again, drafted, DRAFTS_MAX, emptyLog, hangsOnThisWatch, isUnsure, isWorthAgain, LINES_MAX, linesIn, next, place, readBy, reduce, refused, taken, takesDraft, WATCHED_ANEW, withdrawn } from "../../web/js/core/chat_log.js";

const said = (seq, text = `line ${seq}`, nickname = "mia", id = `id-${seq}`) => ({
  kind: "said", seq, id, from: { nickname, roles: [] }, text, at: "2026-11-25T00:00:00Z",
});
const many = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => said(from + index));
const texts = (log) => log.lines.map((line) => line.text);

test("lines come in order and the newest number is kept", () => {
  const log = reduce(emptyLog(null), [said(1), said(2)]);
  assert.deepEqual(texts(log), ["line 1", "line 2"]);
  assert.equal(log.seq, 2);
});

test("the log before is untouched", () => {
  const before = next(emptyLog(null), said(1));
  next(before, said(2));
  assert.equal(before.lines.length, 1);
});

for (const count of [LINES_MAX - 1, LINES_MAX, LINES_MAX + 1, 2 * LINES_MAX + 1, 5_000]) {
  test(`never more than LINES_MAX lines: ${count} at once`, () => {
    const log = reduce(emptyLog(null), many(1, count));
    assert.equal(log.lines.length, Math.min(count, LINES_MAX));
    assert.equal(log.lines.at(-1)?.text, `line ${count}`);
  });
}

test("one by one is the same as at once", () => {
  const events = [...many(1, 200), { kind: "gap", skipped: 5, from_seq: 201, to_seq: 205 }, said(206)];
  const one = events.reduce(next, emptyLog("mia"));
  assert.deepEqual(one, reduce(emptyLog("mia"), events));
});

test("a line that comes again after a reconnection is shown once", () => {
  const log = reduce(emptyLog(null), [said(1), said(2)]);
  assert.deepEqual(texts(reduce(log, [said(2), said(3)])), ["line 1", "line 2", "line 3"]);
});

test("a room whose numbers began anew is heard, and the new numbers count", () => {
  const log = reduce(emptyLog(null), many(1, 5));
  const after = next(log, said(1, "after the flood", "mia", "another"));
  assert.equal(after.lines.at(-1)?.text, "after the flood");
  assert.equal(after.seq, 1);
});

test("of another epoch no number was seen, and none of before means anything", () => {
  const epoch = (name) => ({ kind: "epoch", epoch: name });
  let log = reduce(emptyLog(null), [epoch("first"), said(1), said(2)]);
  assert.deepEqual([log.seq, log.epoch], [2, "first"]);
  log = next(log, epoch("first")); // A reconnection.
  assert.deepEqual([log.seq, log.lines.length], [2, 2]);
  log = next(log, epoch("second"));
  assert.deepEqual([log.seq, log.epoch], [0, "second"]);
  log = reduce(log, [said(1, "new", "mia", "another"), { kind: "removed", seqs: [1, 2], ids: [], at: "" }]);
  assert.deepEqual(log.lines.map(({ kind, skipped, text, removed }) => [kind, skipped, text, removed]), [
    ["said", 0, "line 1", false], ["said", 0, "line 2", false], ["gap", 0, "", false], ["said", 0, "", true],
  ]);
});

test("what comes again in another epoch has its number again, and is removed by it", () => {
  const epoch = (name) => ({ kind: "epoch", epoch: name });
  const log = reduce(emptyLog(null), [epoch("first"), said(1), said(2), epoch("second"), said(1)]);
  assert.deepEqual(log.lines.map((line) => line.seq), [1, 0, 0]);
  assert.deepEqual(log.lines.slice(0, 2).map(place), [{ seqs: [1] }, { nickname: log.lines[1].nickname, ids: [log.lines[1].id] }]);
  const after = next(log, { kind: "removed", seq: 2, seqs: [1], ids: ["id-1"], at: "" });
  assert.deepEqual(after.lines.map((line) => line.removed), [true, false, false]);
});

test("numbers that begin anew before the first line leave no gap", () => {
  const log = reduce(emptyLog(null), [{ kind: "epoch", epoch: "first" }, { kind: "epoch", epoch: "second" }, said(1)]);
  assert.deepEqual(log.lines.map((line) => line.kind), ["said"]);
});

test("a kept donation may come after its gap", () => {
  const donated = { ...said(50, "thanks"), kind: "donated", points: 500 };
  const log = reduce(emptyLog(null), [said(1), { kind: "gap", skipped: 98, from_seq: 2, to_seq: 100 }, donated, said(101)]);
  assert.deepEqual(log.lines.map((line) => line.kind), ["said", "gap", "donated", "said"]);
  assert.equal(log.lines[2]?.points, 500);
});

test("a gift that comes again with another number, of another epoch, is one gift", () => {
  const epoch = (name) => ({ kind: "epoch", epoch: name });
  const gift = (seq, id = "g") => ({ ...said(seq, "thanks", "mia", id), kind: "donated", points: 500 });
  const log = reduce(emptyLog(null), [epoch("first"), gift(7), epoch("second"), said(1), gift(2), gift(3, "other")]);
  assert.deepEqual(log.lines.map((line) => [line.kind, line.seq]), [["donated", 2], ["gap", 0], ["said", 1], ["donated", 3]]);
  const after = next(log, { kind: "removed", seq: 4, seqs: [2], ids: [], at: "" });
  assert.deepEqual(after.lines.map((line) => line.removed), [true, false, false, false]);
  // A line's id is its sender's own choice: of the same id it is another line.
  assert.equal(next(log, said(5, "hello", "eve", "g")).lines.length, 5);
});

test("gaps that follow each other are one", () => {
  const gap = (skipped, from_seq, to_seq) => ({ kind: "gap", skipped, from_seq, to_seq });
  const log = reduce(emptyLog(null), [said(1), gap(3, 2, 4), gap(4, 5, 8), said(9), gap(0, 10, 9)]);
  assert.deepEqual(log.lines.map((line) => [line.kind, line.skipped]), [["said", 0], ["gap", 7], ["said", 0]]);
});

test("a gap may come first", () => {
  assert.deepEqual(next(emptyLog(null), { kind: "gap", skipped: 2, from_seq: 1, to_seq: 2 }).lines.map((line) => line.skipped), [2]);
});

test("an own line is pending until the room says it", () => {
  const waiting = drafted(emptyLog("mia"), "x", "hello");
  assert.deepEqual(waiting.drafts, [{ id: "x", text: "hello", code: null, retryAfterMs: 0 }]);
  const confirmed = next(waiting, said(1, "hello", "mia", "x"));
  assert.deepEqual(confirmed.drafts, []);
  assert.equal(confirmed.lines[0]?.mine, true);
});

test("somebody else's line with the same id confirms nothing", () => {
  const log = next(drafted(emptyLog("mia"), "x", "hello"), said(1, "hello", "eve", "x"));
  assert.equal(log.drafts.length, 1);
  assert.equal(log.lines[0]?.mine, false);
});

test("a refusal keeps the text, from the answer and from the watch alike", () => {
  const waiting = drafted(emptyLog("mia"), "x", "hello");
  const byAnswer = refused(waiting, "x", "chat.slow", 3000);
  const byWatch = next(waiting, { kind: "refused", id: "x", code: "chat.slow", retry_after_ms: 3000 });
  assert.deepEqual(byAnswer.drafts, [{ id: "x", text: "hello", code: "chat.slow", retryAfterMs: 3000 }]);
  assert.deepEqual(byWatch, byAnswer);
  assert.deepEqual(withdrawn(byAnswer, "x").drafts, []);
  assert.equal(next(waiting, { kind: "refused", id: "x" }).drafts[0]?.code, "internal");
});

test("a second try with the same id is one draft", () => {
  const log = drafted(drafted(emptyLog("mia"), "x", "hello"), "x", "hello again");
  assert.deepEqual(log.drafts.map((draft) => draft.text), ["hello again"]);
});

for (const [count, takes] of [[DRAFTS_MAX - 1, true], [DRAFTS_MAX, false]]) {
  test(`no line that waits goes by itself, so there is room for one more beside ${count}: ${takes}`, () => {
    let log = emptyLog("mia");
    for (let index = 0; index < count; index += 1) log = drafted(log, `x${index}`, "hello");
    assert.equal(takesDraft(log, "new"), takes);
    assert.equal(takesDraft(log, "x0"), true);
    assert.equal(drafted(log, "x0", "hello").drafts.length, count);
  });
}

test("a removed line loses its words, not its place", () => {
  const log = reduce(emptyLog(null), [said(1), said(2), { kind: "removed", ids: ["id-1"], seq: 3 }]);
  assert.deepEqual(texts(log), ["", "line 2"]);
  assert.equal(log.lines[0]?.removed, true);
  assert.equal(log.seq, 3);
});

test("a line that did not change is the same object, so that it is not drawn again", () => {
  const log = reduce(emptyLog(null), [said(1), said(2)]);
  const after = reduce(log, [said(3), { kind: "removed", ids: ["id-2"] }]);
  assert.equal(after.lines[0], log.lines[0]);
  assert.notEqual(after.lines[1], log.lines[1]);
});

test("the viewers are counted, a line that speaks to the reader is marked", () => {
  const log = reduce(emptyLog("mia"), [{ kind: "count", viewers: 7 }, said(1, "hey @Mia!", "bob"), said(2, "@mia talks to herself")]);
  assert.equal(log.viewers, 7);
  assert.deepEqual(log.lines.map((line) => line.mentioned), [true, false]);
});

test("another reader keeps the lines", () => {
  const log = next(emptyLog(null), said(1));
  assert.equal(readBy(log, null), log);
  assert.equal(readBy(log, "mia").me, "mia");
  assert.equal(readBy(log, "mia").lines, log.lines);
});

for (const event of [
  { kind: "news from the future", text: "?" },
  { kind: "said" },
  { kind: "said", from: null, text: 7, seq: "x", id: {} },
  { kind: "said", from: { nickname: 3, roles: "operator" } },
  { kind: "donated", points: Number.NaN, from: [] },
  { kind: "removed", ids: "all" },
  { kind: "gap", skipped: "many" },
  { kind: "count" },
]) {
  test(`strange events harm nothing: ${JSON.stringify(event)}`, () => {
    const log = next(next(emptyLog("mia"), said(1)), event);
    assert.equal(log.lines[0]?.text, "line 1");
    for (const line of log.lines) assert.equal(typeof line.text, "string");
    for (const line of log.lines) assert.equal(typeof line.nickname, "string");
  });
}

test("roles are the words among them", () => {
  const log = next(emptyLog(null), { ...said(1), from: { nickname: "mia", roles: ["operator", 7] } });
  assert.deepEqual(log.lines[0]?.roles, ["operator"]);
});

test("a removal names numbers: another's line with the same id stays", () => {
  const log = reduce(emptyLog(null), [said(1, "bad", "troll", "x"), said(2, "good", "mia", "x"), { kind: "removed", seq: 3, ids: ["x"], seqs: [1] }]);
  assert.deepEqual(log.lines.map((line) => [line.text, line.removed]), [["", true], ["good", false]]);
  assert.equal(log.seq, 3);
});

test("a removal of lines that are not here changes nothing", () => {
  const log = reduce(emptyLog(null), [said(5), { kind: "removed", ids: [], seqs: [1, 0] }]);
  assert.deepEqual(texts(log), ["line 5"]);
});

const local = (id, text = id, nickname = "mia") => ({ ...said(0, text, nickname, id), seq: undefined, local: true });

test("a line seen without a number is the same when it has one, and stands where that says", () => {
  const before = reduce(emptyLog("mia"), [said(1), { kind: "away" }, local("a"), local("b"), local("a")]);
  assert.deepEqual(before.lines.map(({ id, seq, local: here }) => [id, seq, here]), [["id-1", 1, false], ["a", 0, true], ["b", 0, true]]);
  assert.equal(before.seq, 1);
  const healed = reduce(before, [said(2, "b", "mia", "b"), said(3, "x", "leo", "a"), said(4, "a", "mia", "a"), { kind: "back" }]);
  assert.deepEqual(healed.lines.map(({ nickname, id, seq, local: here }) => [nickname, id, seq, here]), [
    ["mia", "id-1", 1, false], ["mia", "b", 2, false], ["leo", "a", 3, false], ["mia", "a", 4, false],
  ]);
  assert.deepEqual(next(healed, local("b")).lines, healed.lines, "late, it is not shown again");
});

test("one by one lines heal as all at once", () => {
  const events = [said(1), local("a"), local("b"), said(2, "b", "mia", "b"), { kind: "back" }, said(3, "a", "mia", "a")];
  assert.deepEqual(events.reduce(next, emptyLog(null)), reduce(emptyLog(null), events));
  assert.deepEqual(reduce(emptyLog(null), events).lines.map((line) => line.seq), [1, 2, 3]);
});

test("a line of one's own that has no number yet is no draft any more", () => {
  const log = next(drafted(emptyLog("mia"), "a", "a"), local("a"));
  assert.deepEqual([log.drafts.length, log.lines.length], [0, 1]);
});

test("a line without a number is removed by its sender and id, and stays removed", () => {
  let log = reduce(emptyLog(null), [local("a"), local("a", "mine too", "leo")]);
  assert.deepEqual(place(log.lines[0]), { nickname: "mia", ids: ["a"] });
  log = next(log, { kind: "removed", local: true, nickname: "mia", ids: ["a"], seqs: [], at: "" });
  assert.deepEqual(log.lines.map((line) => line.removed), [true, false]);
  log = next(log, said(7, "a", "mia", "a"));
  assert.deepEqual(log.lines.map(({ seq, text, removed }) => [seq, text, removed]), [[0, "mine too", false], [7, "", true]]);
});

test("what did not come to the others is said to be so", () => {
  const lapsed = { kind: "lapsed", lines: [{ nickname: "mia", id: "a" }, null] };
  const log = reduce(emptyLog(null), [local("a"), local("b"), lapsed, { kind: "back" }]);
  assert.deepEqual(log.lines.map((line) => [line.local, line.lapsed]), [[false, true], [false, false]]);
  assert.deepEqual(next(log, { kind: "lapsed" }).lines, log.lines);
});

const fate = (log) => log.lines.map(({ text, seq, local: here, lapsed }) => [text, seq, here ? "local" : lapsed ? "lapsed" : ""]);

test("of another part of the house's lines nobody knows, until one has a number or is told of again", () => {
  let log = reduce(emptyLog("mia"), [said(1), local("a"), local("b"), local("c"), WATCHED_ANEW]);
  assert.deepEqual(fate(log), [["line 1", 1, ""], ["a", 0, "lapsed"], ["b", 0, "lapsed"], ["c", 0, "lapsed"]]);
  assert.equal(next(log, WATCHED_ANEW).lines[0], log.lines[0]);
  // It was the same part after all.
  log = reduce(log, [{ kind: "away" }, local("b")]);
  assert.deepEqual(fate(log), [["line 1", 1, ""], ["a", 0, "lapsed"], ["b", 0, "local"], ["c", 0, "lapsed"]]);
  // It was held where it was said, and came through.
  log = reduce(log, [said(2, "a", "mia", "a"), { kind: "back" }]);
  assert.deepEqual(fate(log), [["line 1", 1, ""], ["b", 0, ""], ["c", 0, "lapsed"], ["a", 2, ""]]);
});

test("a line that may not have come to the others is sent again as what it is", () => {
  let log = reduce(emptyLog("mia"), [local("a", "hello"), WATCHED_ANEW]);
  log = again(log, log.lines[0]);
  assert.deepEqual([log.lines.length, log.drafts], [0, [{ id: "a", text: "hello", code: null, retryAfterMs: 0 }]]);
  const held = next(log, { ...local("a", "hello"), at: "2026-11-25T00:05:00Z" });
  assert.deepEqual([fate(held), held.drafts.length], [[["hello", 0, "local"]], 0]);
  const through = next(log, said(1, "hello", "mia", "a"));
  assert.deepEqual([fate(through), through.drafts.length], [[["hello", 1, ""]], 0]);
});

test("somebody who sees a line again that another sent once more sees it once", () => {
  const later = { at: "2026-11-25T00:05:00Z" };
  const log = reduce(emptyLog(null), [local("a", "hello"), WATCHED_ANEW, local("b"), { ...local("a", "hello"), ...later }]);
  assert.deepEqual(fate(log), [["b", 0, "local"], ["hello", 0, "local"]]);
  assert.deepEqual(fate(next(log, said(1, "hello", "mia", "a"))), [["b", 0, "local"], ["hello", 1, ""]]);
});

test("a program that uses an id again is heard each time", () => {
  const at = (minute) => ({ at: `2026-11-25T00:0${minute}:00Z` });
  let log = reduce(emptyLog(null), [{ ...said(1, "one", "bot", "x"), ...at(1) }, { ...local("x", "two", "bot"), ...at(2) }]);
  log = reduce(log, [{ ...local("x", "three", "bot"), ...at(3) }, { ...local("x", "one", "bot"), ...at(4) }]);
  assert.deepEqual(fate(log), [["one", 1, ""], ["two", 0, "local"], ["three", 0, "local"], ["one", 0, "local"]]);
  log = reduce(log, [{ ...said(2, "three", "bot", "x"), ...at(3) }, { ...said(3, "two", "bot", "x"), ...at(2) }]);
  assert.deepEqual(fate(log), [["one", 1, ""], ["one", 0, "local"], ["three", 2, ""], ["two", 3, ""]]);
  log = reduce(log, [{ kind: "epoch", epoch: "one" }, { kind: "epoch", epoch: "two" }, { ...said(1, "one", "bot", "x"), ...at(9) }]);
  assert.equal(log.lines.filter((line) => line.text === "one").length, 2, "the one without a number has one now");
});

test("what was removed stays so, and hides no other line of the same id", () => {
  let log = reduce(emptyLog(null), [local("x", "bad", "bot"), { kind: "removed", local: true, nickname: "bot", ids: ["x"], seqs: [] }]);
  log = reduce(log, [{ ...local("x", "good", "bot"), at: "2026-11-25T00:01:00Z" }, { ...said(1, "good", "bot", "x"), at: "2026-11-25T00:01:00Z" }]);
  assert.deepEqual(log.lines.map(({ text, seq, removed }) => [text, seq, removed]), [["", 0, true], ["good", 1, false]]);
});

test("a line whose number was seen already cannot come any more", () => {
  const log = drafted(reduce(emptyLog("mia"), [said(7)]), "x", "hello");
  assert.equal(taken(log, "x", 7).drafts.length, 0);
  assert.equal(taken(log, "x", 8).drafts.length, 1, "it is on its way");
  assert.equal(taken(log, "x", 0).drafts.length, 1, "it has none yet");
  assert.equal(taken(log, "y", 7).drafts, log.drafts, "the room has said it");
});

test("a line that was taken waits no longer than until its number has gone by", () => {
  const log = taken(drafted(reduce(emptyLog("mia"), [said(80)]), "x", "hello"), "x", 100);
  assert.equal(next(log, said(99)).drafts.length, 1);
  assert.equal(reduce(log, [{ kind: "gap", skipped: 40, from_seq: 81, to_seq: 120 }, said(121)]).drafts.length, 0);
  assert.equal(next(refused(log, "x", "chat.slow"), said(121)).drafts.length, 1, "what was refused stays");
});

test("of a line that was taken without a number nobody knows where another part of the house is watched", () => {
  const waiting = drafted(reduce(emptyLog("mia"), [said(1)]), "x", "hello");
  assert.ok(!hangsOnThisWatch(waiting));
  assert.equal(next(waiting, WATCHED_ANEW).drafts, waiting.drafts, "it has no answer yet");
  const held = taken(waiting, "x", 0);
  assert.ok(hangsOnThisWatch(held));
  const after = next(held, WATCHED_ANEW);
  assert.deepEqual(after.drafts.map(({ text, code }) => [text, code]), [["hello", "wire.lost"]]);
  assert.ok(!hangsOnThisWatch(after));
  assert.equal(next(taken(waiting, "x", 9), WATCHED_ANEW).drafts[0]?.code, null, "it has one");
  assert.equal(next(after, local("x", "hello")).drafts.length, 0, "it was the same part after all");
});

test("a line that was taken by numbers that began anew is not waited for", () => {
  const epoch = (name) => ({ kind: "epoch", epoch: name });
  const waiting = drafted(reduce(emptyLog("mia"), [epoch("one"), said(80)]), "x", "hello");
  const after = reduce(taken(waiting, "x", 100), [epoch("two"), said(101)]);
  assert.equal(next(taken(waiting, "x", 0), epoch("two")).drafts[0]?.code, null, "it gets one of the new numbers");
  assert.deepEqual(after.drafts.map(({ text, code }) => [text, code]), [["hello", "wire.lost"]]);
});

test("drafts that nothing happened to are the same array, so that they are not drawn or kept again", () => {
  let log = refused(drafted(emptyLog("mia"), "x", "hello"), "x", "chat.slow");
  const { drafts } = log;
  log = reduce(log, [{ kind: "epoch", epoch: "one" }, said(1), said(2, "theirs", "leo"), { kind: "epoch", epoch: "two" }]);
  log = reduce(log, [local("y"), { kind: "refused", id: "z", code: "chat.slow" }, WATCHED_ANEW]);
  log = withdrawn(refused(taken(log, "y", 7), "y", "chat.slow"), "y");
  assert.equal(log.drafts, drafts);
  // Of those that stay beside one that changed each is the same.
  assert.equal(drafted(log, "y", "more").drafts[0], drafts[0]);
});

for (const [code, unsure] of [[null, false], ["chat.slow", false], ["wire.lost", true], ["wire.timeout", true], ["store.unknown", true]]) {
  test(`${code}: ${unsure ? "it may have been said" : "what happened is known"}`, () => assert.equal(isUnsure({ code }), unsure));
}

for (const [code, worth] of [["chat.empty", false], ["chat.too_long", false], ["chat.blocked", false], ["chat.taken_back", false], ["chat.slow", true], ["wire.lost", true]]) {
  test(`${code}: ${worth ? "the same words may do" : "other words are wanted"}`, () => assert.equal(isWorthAgain({ code }), worth));
}

test("what waits below is counted in lines, those of a gap with them", () => {
  const gap = { kind: "gap", skipped: 7, from_seq: 3, to_seq: 9 };
  const lineless = [{ kind: "removed", seqs: [1] }, { kind: "epoch", epoch: "b" }, { kind: "back" }, WATCHED_ANEW, { kind: "gap" }];
  assert.equal(linesIn([said(1), gap, { ...said(10), kind: "donated" }, ...lineless]), 9);
});
