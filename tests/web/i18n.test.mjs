import assert from "node:assert/strict";
import { test } from "node:test";
import { words } from "../../web/js/core/i18n.js";

const english = words("en", {
  plain: "Hello",
  named: "Hello, {name}, you have {points}",
  lines: { one: "{count} line", other: "{count} lines" },
});
const korean = words("ko", { lines: { other: "{count}줄" } });

test("a phrase is said as it is", () => assert.equal(english.t("plain"), "Hello"));

test("names are filled in, numbers grouped", () => {
  assert.equal(english.t("named", { name: "Mia", points: 12345 }), "Hello, Mia, you have 12,345");
});

test("what is put in is never read again", () => {
  assert.equal(english.t("named", { name: "$& {points}", points: 1 }), "Hello, $& {points}, you have 1");
});

test("a name without a value stays, so that it is seen", () => {
  assert.equal(english.t("named", { name: "Mia" }), "Hello, Mia, you have {points}");
});

test("the plural form is the language's own", () => {
  assert.equal(english.t("lines", { count: 1 }), "1 line");
  assert.equal(english.t("lines", { count: 2 }), "2 lines");
  assert.equal(english.t("lines", { count: 0 }), "0 lines");
  assert.equal(korean.t("lines", { count: 1 }), "1줄");
});

test("an unknown key answers itself, inherited ones too", () => {
  assert.equal(english.t("no.such"), "no.such");
  assert.equal(english.t("constructor"), "constructor");
  assert.equal(english.has("plain"), true);
  assert.equal(english.has("toString"), false);
});

test("a phrase without the form asked for says nothing rather than something wrong", () => {
  assert.equal(words("en", { odd: { one: "one" } }).t("odd", { count: 2 }), "");
});
