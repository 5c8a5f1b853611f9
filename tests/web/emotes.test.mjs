import assert from "node:assert/strict";
import test from "node:test";

import { EMOTES_IN_A_LINE_MAX, picked, pieces } from "../../web/js/core/emotes.js";

const emote = (code) => ({ code, url: `/emotes/${code}.png`, width: 28, height: 28, house: false });
const EMOTES = new Map(["cat", "paw", "\uace0\uc591\uc774"].map((code) => [code, emote(code)]));
const told = (text) => pieces(text, EMOTES).map((piece) => (typeof piece === "string" ? piece : `<${piece.code}>`));

test("a known code is a picture, everything else is text", () => {
  for (const [text, expected] of [
    ["hello", ["hello"]],
    [":cat:", ["<cat>"]],
    ["hi :cat: there", ["hi ", "<cat>", " there"]],
    [":cat::paw:", ["<cat>", "<paw>"]],
    [":\uace0\uc591\uc774:", ["<\uace0\uc591\uc774>"]],
    [":dog:", [":dog:"]],
    ["10:30:cat:", ["10:30", "<cat>"]],
    [":cat:paw:", ["<cat>", "paw:"]],
    [":Cat: :c: ::", [":Cat: :c: ::"]],
    [": cat :", [": cat :"]],
    ["", [""]],
  ]) {
    assert.deepEqual(told(text).filter((piece) => piece !== "" || text === ""), expected, text);
  }
});

test("markup stays text", () => {
  assert.deepEqual(told("<img src=x>:cat:<b>"), ["<img src=x>", "<cat>", "<b>"]);
});

test("a line has so many pictures and no more", () => {
  const shown = told(":cat:".repeat(EMOTES_IN_A_LINE_MAX + 2));
  assert.equal(shown.filter((piece) => piece === "<cat>").length, EMOTES_IN_A_LINE_MAX);
  assert.equal(shown.at(-1), ":cat::cat:");
});

test("two texts in a row do not share where they are read", () => {
  assert.deepEqual(told(":cat: and"), ["<cat>", " and"]);
  assert.deepEqual(told(":cat: and"), ["<cat>", " and"]);
});

test("a room without pictures reads no text twice", () => {
  assert.deepEqual(pieces(":cat:", new Map()), [":cat:"]);
});

test("a picked code stands apart from the words around it", () => {
  assert.equal(picked("", "cat"), ":cat: ");
  assert.equal(picked("hi", "cat"), " :cat: ");
  assert.equal(picked("hi ", "cat"), ":cat: ");
});
