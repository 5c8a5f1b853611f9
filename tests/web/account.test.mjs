import assert from "node:assert/strict";
import { test } from "node:test";
import { faults, fieldOf, FIELDS, PASSWORD_CHARACTERS_MAX, PASSWORD_CHARACTERS_MIN, passwordFault } from "../../web/js/core/account.js";
import { Problem } from "../../web/js/core/problem.js";

test("each rule at its edge", () => {
  const good = { login_id: "mia_", nickname: "나비", password: "x".repeat(PASSWORD_CHARACTERS_MIN) };
  assert.deepEqual(faults(good), {});
  for (const login_id of ["mia", "x".repeat(21), "Mia_", "mi a"]) assert.deepEqual(Object.keys(faults({ ...good, login_id })), ["login_id"]);
  for (const nickname of ["a", "x".repeat(21), "a b", "<b>", ""]) assert.deepEqual(Object.keys(faults({ ...good, nickname })), ["nickname"]);
  for (const password of ["x".repeat(PASSWORD_CHARACTERS_MIN - 1), "x".repeat(PASSWORD_CHARACTERS_MAX + 1)]) {
    assert.deepEqual(Object.keys(faults({ ...good, password })), ["password"]);
  }
  assert.equal(faults({ ...good, login_id: "miamiami", password: "miamiami" }).password, "member.weak_password");
  assert.deepEqual(faults({ ...good, password: "x".repeat(PASSWORD_CHARACTERS_MAX) }), {});
});

test("a refusal finds its field", () => {
  for (const field of FIELDS) assert.equal(fieldOf(new Problem("member.taken", { field })), field);
  assert.equal(fieldOf(new Problem("wire.shape", { field: "somewhere" })), null);
  assert.equal(fieldOf(new Problem("store.unavailable")), null);
  assert.equal(FIELDS.length, 3);
});

test("a password by itself is judged by its length alone, in characters as people count them", () => {
  assert.equal(passwordFault("\u{1F408}".repeat(PASSWORD_CHARACTERS_MIN)), null);
  assert.equal(passwordFault("x".repeat(PASSWORD_CHARACTERS_MIN - 1)), "member.weak_password");
  assert.equal(passwordFault("x".repeat(PASSWORD_CHARACTERS_MAX + 1)), "member.weak_password");
});
