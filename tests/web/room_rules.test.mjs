import assert from "node:assert/strict";
import { test } from "node:test";
import { mutedForMs, newStanding, NO_RULES, ruled } from "../../web/js/core/room_rules.js";

const RULES = { kind: "rules", slow_seconds: 5, followers_only_minutes: 0, members_only: true, blocked_links: true, pinned: "be kind" };
const guest = newStanding(null, "miso");
const mia = newStanding("mia", "miso");

test("the newest rules hold, and what is missing is not a rule", () => {
  const standing = ruled(mia, RULES, "mia");
  assert.deepEqual(standing.rules, { slowSeconds: 5, followersOnlyMinutes: 0, membersOnly: true, blockedLinks: true, pinned: "be kind" });
  assert.deepEqual(ruled(standing, { kind: "rules" }, "mia").rules, NO_RULES);
});

test("a mute is the reader's only when it names the reader, and ends by word or by time", () => {
  const muted = ruled(mia, { kind: "muted", nickname: "mia", until: "2026-11-26T00:10:00Z" }, "mia");
  const at = Date.parse("2026-11-26T00:00:00Z");
  assert.equal(mutedForMs(muted, at), 600_000);
  assert.equal(mutedForMs(muted, at + 600_000), null);
  assert.equal(mutedForMs(ruled(muted, { kind: "unmuted", nickname: "mia" }, "mia"), at), null);
  assert.equal(ruled(mia, { kind: "muted", nickname: "toto", until: null }, "mia"), mia);
  assert.equal(ruled(guest, { kind: "muted", nickname: "toto", until: null }, null), guest);
});

test("a ban lasts until somebody lifts it", () => {
  const banned = ruled(mia, { kind: "muted", nickname: "mia", until: null }, "mia");
  assert.equal(mutedForMs(banned, Number.MAX_SAFE_INTEGER), Number.POSITIVE_INFINITY);
});

test("the owner moderates; a moderator is known by a line of their own", () => {
  assert.equal(newStanding("miso", "miso").moderates, true);
  const line = (nickname, roles) => ({ kind: "said", from: { nickname, roles } });
  assert.equal(ruled(mia, line("mia", ["moderator"]), "mia").moderates, true);
  for (const other of [line("toto", ["moderator"]), line("mia", ["follower"]), line("mia"), { kind: "said" }, { kind: "new" }]) {
    assert.equal(ruled(mia, other, "mia"), mia);
  }
  assert.equal(ruled(guest, line("", ["owner"]), null).moderates, false);
});
