import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AMOUNTS_POINTS, edited, failed, fault, given, newDonation, POINTS_MAX, POINTS_MIN, sent, TEXT_CHARACTERS_MAX,
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
