import assert from "node:assert/strict";
import { test } from "node:test";
import { Problem } from "../../web/js/core/problem.js";
import { ended, heard, moves, newTopUp, notPlaced, ordering, refundable, secondsLeft } from "../../web/js/core/top_up.js";

const order = (state, more = {}) => ({
  id: "id-1", state, product: "1000", points: 1000, amount_won: 11_900, vat_won: 1_082, created_at: "2026-11-26T00:00:00Z",
  expires_at: "2026-11-26T00:15:00Z", now: "2026-11-26T00:00:00Z", pay: null, qr: null, paid_at: null, receipt: null,
  method: null, refundable_until: null, refunded_at: null, ...more,
});

test("the good way", () => {
  const sent = ordering(newTopUp(), "1000", "id-1");
  assert.deepEqual([sent.stage, sent.id, sent.product], ["ordering", "id-1", "1000"]);
  assert.equal(ordering(sent, "100", "id-2"), sent, "a second click is no second order");
  const placed = heard(sent, order("ready"), 5);
  assert.deepEqual([placed.stage, placed.order.state, placed.heardAtMs], ["ordered", "ready", 5]);
});

for (const problem of [new Problem("wire.unreachable"), new Problem("order.provider_away", { retry: true }), new Problem("store.unknown", { unknown: true }), new Problem("internal")]) {
  test(`${problem.code}: the same order again`, () => {
    const open = notPlaced(ordering(newTopUp(), "1000", "id-1"), problem);
    const again = ordering(open, "100", "id-2");
    assert.deepEqual([open.stage, again.id, again.product, again.problem], ["unanswered", "id-1", "1000", null]);
  });
}

test("a refusal leads back to the choice, and the next order is another", () => {
  const refused = notPlaced(ordering(newTopUp(), "1000", "id-1"), new Problem("order.product"));
  assert.deepEqual([refused.stage, refused.id, refused.problem.code], ["choosing", null, "order.product"]);
  assert.equal(ordering(refused, "100", "id-2").id, "id-2");
});

test("every state of PROTOCOL.md either goes on or is over", () => {
  const states = "created ready approving paid refunding refunded voiding voided failed expired canceled review".split(" ");
  for (const state of states) assert.notEqual(moves(order(state)), ended(order(state)), state);
  assert.equal(moves(order("new one")) || ended(order("new one")), false);
});

test("the time is counted by the house's clock, and ends at nothing", () => {
  assert.equal(secondsLeft(order("ready"), 1_000, 1_000), 900);
  assert.equal(secondsLeft(order("ready"), 1_000, 61_500), 840);
  assert.equal(secondsLeft(order("ready"), 1_000, 9_999_999), 0);
  assert.equal(secondsLeft(order("ready", { expires_at: "?" }), 0, 0), 0);
});

test("a refund while its time lasts", () => {
  assert.equal(refundable(order("paid", { refundable_until: "2026-12-03T00:00:00Z" })), true);
  assert.equal(refundable(order("paid", { refundable_until: "2026-11-25T00:00:00Z" })), false);
  assert.equal(refundable(order("refunded")), false);
});
