import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AMOUNTS_POINTS, edited, failed, fault, given, newDonation, pending, POINTS_MAX, POINTS_MIN, restored, sent, TEXT_CHARACTERS_MAX,
  wanting, written, writtenBefore,
} from "../../web/js/core/donation.js";
import { Problem } from "../../web/js/core/problem.js";

const lost = new Problem("wire.lost", { unknown: true });
const poor = new Problem("points.insufficient");

test("the offers are amounts one may give", () => {
  for (const points of AMOUNTS_POINTS) assert.equal(fault(edited(newDonation(), { points }), null), null);
});

for (const [points, code] of [[POINTS_MIN, null], [POINTS_MIN - 1, "points.amount"], [POINTS_MAX, null], [POINTS_MAX + 1, "points.amount"], [1.5, "points.amount"], [Number.NaN, "points.amount"]]) {
  test(`amount ${points}: ${code}`, () => assert.equal(fault(edited(newDonation(), { points }), null), code));
}

for (const [points, balance, few] of [[100, 100, 0], [100, 30, 70], [100, 0, 100], [100, null, 0], [Number.NaN, 30, 0], [1.5, 1, 0], [-5, 0, 0], [POINTS_MAX + 1, 30, 0]]) {
  test(`${few} are wanting to give ${points} of ${balance}`, () => assert.equal(wanting(edited(newDonation(), { points }), balance), few));
}

test("of what was sent already nothing is wanting: only the ledger knows", () => {
  assert.equal(wanting(sent(edited(newDonation(), { points: 100 }), "a"), 30), 0);
});

test("text at its limit, counted in characters", () => {
  assert.equal(fault(edited(newDonation(), { text: "😺".repeat(TEXT_CHARACTERS_MAX) }), null), null);
  assert.equal(fault(edited(newDonation(), { text: "x".repeat(TEXT_CHARACTERS_MAX + 1) }), null), "transfer.text_too_long");
});

test("no more than one has, where that is known", () => {
  const donation = edited(newDonation(), { points: 100 });
  assert.equal(fault(donation, 100), null);
  assert.equal(fault(donation, 99), "points.insufficient");
  assert.equal(fault(donation, null), null);
});

test("the good way", () => {
  const donation = sent(edited(newDonation(), { points: 500, text: " thanks " }), "id-1");
  assert.deepEqual([donation.stage, donation.id, donation.points, donation.text], ["sending", "id-1", 500, "thanks"]);
  const after = given(donation, 1500);
  assert.deepEqual([after.stage, after.pointsLeft], ["given", 1500]);
});

test("what an older page sent is asked for again to the letter", () => {
  const back = restored(JSON.stringify({ id: "id-1", points: 300, text: "a\nb ", anonymous: false }));
  assert.equal(sent(back, "id-2").text, "a\nb ");
});

test("sending twice is sending once", () => {
  const donation = sent(newDonation(), "id-1");
  assert.equal(sent(donation, "id-2"), donation);
});

test("an unknown outcome keeps the id and locks the words", () => {
  const unknown = failed(sent(newDonation(), "id-1"), lost);
  assert.equal(unknown.stage, "unknown");
  assert.equal(edited(unknown, { points: 1 }), unknown);
  assert.equal(sent(unknown, "id-2").id, "id-1");
});

test("a refusal frees the form, and the next try is another donation", () => {
  const refused = failed(sent(newDonation(), "id-1"), poor);
  assert.deepEqual([refused.stage, refused.id, refused.problem], ["editing", null, poor]);
  const again = edited(refused, { points: 1 });
  assert.equal(again.problem, null);
  assert.equal(sent(again, "id-2").id, "id-2");
});

// Whatever is said by anybody but the ledger says nothing about the try before.
const OTHERS_WORDS = ["wire.unreachable", "limit.too_fast", "auth.token_expired", "auth.other_member", "house.closing", "store.unavailable", "channel.unknown", "member.banned"];
for (const code of OTHERS_WORDS) {
  test(`${code} after an unknown outcome does not free the id`, () => {
    const again = failed(sent(failed(sent(newDonation(), "id-1"), lost), "id-2"), new Problem(code));
    assert.deepEqual([again.stage, again.id, again.maybe], ["unknown", "id-1", true]);
    assert.equal(sent(again, "id-3").id, "id-1");
  });

  test(`${code} at the first try says that nothing was sent`, () => {
    const refused = failed(sent(newDonation(), "id-1"), new Problem(code));
    assert.deepEqual([refused.stage, refused.id, refused.maybe], ["editing", null, false]);
  });
}

for (const code of ["points.insufficient", "transfer.id_reused", "channel.off_air"]) {
  test(`${code} after an unknown outcome is the ledger's answer`, () => {
    const refused = failed(sent(failed(sent(newDonation(), "id-1"), lost), "id-2"), new Problem(code));
    assert.deepEqual([refused.stage, refused.id, refused.maybe], ["editing", null, false]);
  });
}

test("a fault of our own may come after the sending", () => {
  assert.equal(failed(sent(newDonation(), "id-1"), new Problem("internal")).stage, "unknown");
});

test("what was sent outlives the page, and is asked for again with the same id", () => {
  const sending = sent(edited(newDonation(), { points: 300, text: "hi", anonymous: true }), "id-1");
  const back = restored(pending(sending));
  assert.deepEqual([back.stage, back.id, back.points, back.text, back.anonymous, back.maybe], ["unknown", "id-1", 300, "hi", true, true]);
  assert.deepEqual(restored(pending(failed(sending, lost))), back);
  assert.equal(sent(back, "id-2").id, "id-1");
});

test("what was not sent, was refused or was given is not kept", () => {
  const sending = sent(newDonation(), "id-1");
  for (const donation of [newDonation(), failed(sending, poor), given(sending, 1)]) assert.equal(pending(donation), null);
  for (const kept of [null, "", "null", "{", "[]", '{"id":1}']) assert.deepEqual(restored(kept), newDonation());
});

test("what is written and not sent is kept whole, and nothing is kept of nothing", () => {
  assert.equal(written(newDonation()), "");
  for (const change of [{ points: 300, text: "hello", anonymous: true }, { points: 100, text: "", anonymous: true }, { points: Number.NaN, text: "x", anonymous: false }]) {
    assert.deepEqual(writtenBefore(written(edited(newDonation(), change))), change);
  }
  for (const strange of ["", "{", "7", "null", '{"text": 1}', "words of an older page"]) assert.deepEqual(writtenBefore(strange), {});
});

test("what goes along is a line that the books take", () => {
  assert.equal(sent(edited(newDonation(), { text: " a\u0000\u202eb\n\ud800c " }), "x").text, "ab c");
  assert.equal(sent(edited(newDonation(), { text: "\u3164" }), "x").text, "");
});
