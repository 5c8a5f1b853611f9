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

/** A renewal that answers when it is told to, and ends when it is given up, as a browser's does. */
function renewing(others) {
  const asked = Promise.withResolvers();
  globalThis.fetch = (path, { signal }) => {
    if (!path.endsWith("/refresh")) return others(path);
    signal.addEventListener("abort", () => asked.reject(signal.reason));
    return asked.promise;
  };
  return asked;
}

test("whoever logs in while an older login is being renewed stays logged in when that is refused", async () => {
  const asked = renewing(async () => token("leo"));
  const waiting = identity.token();
  await identity.logIn("leo", "password");
  asked.resolve(answer(401, { code: "auth.expired" }));
  assert.equal(await waiting, "of leo");
  assert.deepEqual([identity.nickname, kept.get("commeow.nickname")], ["leo", "leo"]);
});

test("whoever logs in while an older login is being renewed stays logged in when that goes well, too late", async () => {
  const asked = renewing(async () => token("mia"));
  const waiting = identity.token({ fresh: true });
  await identity.logIn("mia", "password");
  asked.resolve(token("leo")); // Given up: the browser takes no cookie of it either.
  assert.equal(await waiting, "of mia");
  assert.deepEqual([identity.nickname, kept.get("commeow.nickname")], ["mia", "mia"]);
});

test("a wrong password gives up no renewal, whose cookie is the one that counts", async () => {
  const asked = renewing(async () => answer(401, { code: "auth.wrong" }));
  const waiting = identity.token({ fresh: true });
  await assert.rejects(identity.logIn("leo", "wrong"), { code: "auth.wrong" });
  asked.resolve(token("mia"));
  assert.equal(await waiting, "of mia");
});

test("whoever logs out stays so when a renewal that was under way goes well, or began meanwhile", async () => {
  const before = renewing(async () => new Response(null, { status: 204 }));
  const waiting = identity.token({ fresh: true });
  assert.equal(await identity.logOut(), true);
  before.resolve(token("mia"));
  await waiting;
  assert.deepEqual([identity.nickname, await identity.token()], [null, null]);

  globalThis.fetch = async () => token("mia");
  await identity.logIn("mia", "password");
  const left = Promise.withResolvers();
  const since = renewing(() => left.promise);
  const leaving = identity.logOut();
  const late = identity.token({ fresh: true });
  left.resolve(new Response(null, { status: 204 }));
  await leaving;
  since.resolve(token("mia"));
  assert.equal(await late, null);
  assert.deepEqual([identity.nickname, kept.has("commeow.nickname")], [null, false]);
});

test("a page does not log out another who logged in beside it", async () => {
  globalThis.fetch = async () => token("mia");
  await identity.logIn("mia", "password");
  kept.set("commeow.nickname", "leo");
  globalThis.fetch = () => assert.fail("asked");
  assert.equal(await identity.logOut(), false);
  assert.equal(kept.get("commeow.nickname"), "leo");
  kept.set("commeow.nickname", "mia");
});

test("a page that is one member's is nobody else's, until it is theirs again", async () => {
  identity.bind();
  globalThis.fetch = () => Promise.resolve(token("leo"));
  await assert.rejects(identity.token({ fresh: true }), { code: "auth.other_member" });
  await assert.rejects(identity.token(), { code: "auth.other_member" });
  assert.equal(identity.nickname, "leo");
  assert.equal(await identity.logOut(), false);
  globalThis.fetch = () => Promise.resolve(token("mia"));
  assert.equal(await identity.token({ fresh: true }), "of mia");
});

test("a login that has ended is forgotten", async () => {
  globalThis.fetch = () => Promise.resolve(answer(401, { code: "auth.expired" }));
  assert.equal(await identity.token({ fresh: true }), null);
  assert.deepEqual([identity.nickname, kept.has("commeow.nickname")], [null, false]);
});
