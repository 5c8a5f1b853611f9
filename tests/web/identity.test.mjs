import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

const kept = new Map([["commeow.nickname", "mia"]]);
globalThis.localStorage = {
  getItem: (key) => kept.get(key) ?? null,
  setItem: (key, value) => void kept.set(key, value),
  removeItem: (key) => void kept.delete(key),
};
const { identity } = await import("../../web/js/net/identity.js");

const { fetch } = globalThis;
afterEach(() => {
  globalThis.fetch = fetch;
});

const answer = (status, body) => new Response(JSON.stringify(body), { status });
const token = (nickname) => answer(200, { access_token: `of ${nickname}`, expires_in: 600, nickname });

test("whoever logs in while an older login is being renewed stays logged in when that is refused", async () => {
  const asked = Promise.withResolvers();
  globalThis.fetch = (path) => (path.endsWith("/refresh") ? asked.promise : Promise.resolve(token("leo")));
  const waiting = identity.token();
  await identity.logIn("leo", "password");
  asked.resolve(answer(401, { code: "auth.expired" }));
  assert.equal(await waiting, "of leo");
  assert.deepEqual([identity.nickname, kept.get("commeow.nickname")], ["leo", "leo"]);
});

test("whoever logs in while an older login is being renewed stays logged in when that goes well, too late", async () => {
  const asked = Promise.withResolvers();
  let signal;
  globalThis.fetch = (path, how) => {
    if (!path.endsWith("/refresh")) return Promise.resolve(token("mia"));
    signal = how.signal;
    return asked.promise;
  };
  const waiting = identity.token({ fresh: true });
  await identity.logIn("mia", "password");
  // Given up: the browser takes no cookie of it either.
  assert.equal(signal.aborted, true);
  asked.resolve(token("leo"));
  assert.equal(await waiting, "of mia");
  assert.deepEqual([identity.nickname, kept.get("commeow.nickname")], ["mia", "mia"]);
});

test("a page that is one member's is nobody else's, until it is theirs again", async () => {
  identity.bind();
  globalThis.fetch = () => Promise.resolve(token("leo"));
  await assert.rejects(identity.token({ fresh: true }), { code: "auth.other_member" });
  await assert.rejects(identity.token(), { code: "auth.other_member" });
  assert.equal(identity.nickname, "leo");
  globalThis.fetch = () => Promise.resolve(token("mia"));
  assert.equal(await identity.token({ fresh: true }), "of mia");
});

test("a login that has ended is forgotten", async () => {
  globalThis.fetch = () => Promise.resolve(answer(401, { code: "auth.expired" }));
  assert.equal(await identity.token({ fresh: true }), null);
  assert.deepEqual([identity.nickname, kept.has("commeow.nickname")], [null, false]);
});
