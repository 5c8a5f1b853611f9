import assert from "node:assert/strict";
import { test } from "node:test";
import { nameColour, portrait } from "../../web/js/core/portrait.js";

test("the same for the same name however it was typed, and not one for all", () => {
  assert.deepEqual(portrait("나비"), portrait("나비".normalize("NFD")));
  assert.equal(nameColour("나비"), nameColour("나비".normalize("NFD")));
  const names = Array.from({ length: 200 }, (_, index) => `cat${index}`);
  assert.equal(new Set(names.map(nameColour)).size, 8);
  assert.ok(new Set(names.map((name) => JSON.stringify(portrait(name)))).size > 60);
});
