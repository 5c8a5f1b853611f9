// The wire before a server that speaks just enough RSocket: SETUP is taken, `session.hello` is answered.
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, afterEach, before, test } from "node:test";
import { WebSocketServer } from "ws";

// What a page's global object is and node's is not.
const page = new EventTarget();
globalThis.addEventListener = page.addEventListener.bind(page);
globalThis.removeEventListener = page.removeEventListener.bind(page);
const { WAIT_FIRST_MS } = await import("../../web/js/core/backoff.js");
const { Problem } = await import("../../web/js/core/problem.js");
const { Wire } = await import("../../web/js/net/wire.js");

const REQUEST_RESPONSE = 4;
const HELLO = { nickname: null, now: 1 };

/** PAYLOAD with NEXT and COMPLETE. */
function answer(streamId, text) {
  const head = Buffer.alloc(6);
  head.writeUInt32BE(streamId, 0);
  head.writeUInt16BE((10 << 10) | 0x60, 4);
  return Buffer.concat([head, Buffer.from(text)]);
}

let server;
/** What the server says to every request, and what it was asked. */
let said;
let asked;
let sockets;
let wire;

before(async () => {
  server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("message", (frame) => {
      if (frame.readUInt16BE(4) >> 10 !== REQUEST_RESPONSE) return;
      asked.push(frame.toString("latin1"));
      socket.send(answer(frame.readUInt32BE(0), JSON.stringify(said)));
    });
  });
  await once(server, "listening");
});
after(() => server.close());
afterEach(() => wire.stop());

/** A wire that stands, and what becomes of it. */
async function standing(token = async () => null, hello = HELLO) {
  sockets = new Set();
  said = hello;
  asked = [];
  wire = new Wire(`ws://127.0.0.1:${server.address().port}`, token);
  wire.start();
  await opened();
}

async function opened() {
  while (wire.state !== "open") await once(wire, "state");
}

/** Until the server has noticed that all connections but the last are gone. */
async function alone() {
  while (sockets.size > 1) await once([...sockets][0], "close");
}

test("a connection that is lost before its renewal is made anew once", async (t) => {
  await standing();
  t.mock.method(Math, "random", () => 1);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  wire.renew(2 * WAIT_FIRST_MS);
  for (const socket of sockets) socket.terminate();
  await once(wire, "state");
  assert.equal(wire.state, "waiting");
  t.mock.timers.tick(WAIT_FIRST_MS);
  await opened();
  t.mock.timers.tick(2 * WAIT_FIRST_MS); // The moment of the renewal has passed.

  assert.equal(wire.state, "open");
});

test("two renewals leave one connection", async () => {
  await standing();
  wire.renew();
  await once(wire, "state"); // connecting
  wire.renew();
  await opened();
  await alone();

  assert.equal(sockets.size, 1);
});

test("a connection that is refused is tried again, also when it closes before it opened", async (t) => {
  sockets = new Set();
  wire = new Wire("ws://127.0.0.1:1", async () => null);
  wire.start();
  await once(wire, "state");
  assert.equal(wire.state, "waiting");
  wire.url = `ws://127.0.0.1:${server.address().port}`;
  page.dispatchEvent(new Event("online"));
  await opened();

  t.mock.timers.enable({ apis: ["setTimeout"] });
  const answer = wire.call("session.hello", {});
  await answer;
  for (const socket of sockets) socket.terminate();
  const late = wire.call("session.hello", {});
  await assert.rejects(late, { code: "wire.lost", unknown: true });
});

test("a network that comes back while a connection is being made does not leave a second one", async () => {
  await standing();
  wire.renew();
  await once(wire, "state");
  for (const socket of sockets) socket.terminate();
  page.dispatchEvent(new Event("online"));
  await opened();
  await alone();

  assert.equal(sockets.size, 1);
});

test("a connection is given a newer token before the old one ends, again and again", async () => {
  let count = 0;
  await standing(async ({ fresh }) => `token ${(count += 1)} ${fresh}`, { ...HELLO, expires_in: 1 });
  while (asked.length < 3) await new Promise((resolve) => setTimeout(resolve, 1));

  assert.match(asked[0], /session\.hello/);
  assert.match(asked[1], /session\.renew.*"token 2 true"/s);
  assert.match(asked[2], /session\.renew.*"token 3 true"/s);
  assert.equal(sockets.size, 1);
});

test("a guest's connection needs no token", async () => {
  await standing(async () => assert.equal(asked.length, 0), { ...HELLO, expires_in: null });
  await wire.call("session.hello", {});

  assert.equal(asked.length, 2);
});

test("what one member asks for does not go out on the connection of another, who logged in meanwhile", async () => {
  await standing(async () => "token", { ...HELLO, nickname: "mia" });
  await wire.call("donation.give", {}, "mia");
  said = { ...HELLO, nickname: "leo" };
  wire.renew();
  await once(wire, "state"); // connecting
  await assert.rejects(wire.call("donation.give", {}, "mia"), { code: "auth.other_member", unknown: false });
  await wire.call("donation.give", {}, "leo");

  assert.equal(asked.filter((one) => one.includes("donation.give")).length, 2);
});

test("that nobody is logged in any more is left to the house to say", async () => {
  await standing();
  await wire.call("donation.give", {}, "mia");

  assert.equal(asked.length, 2);
});

for (const [code, fresh] of [["auth.token_expired", true], ["auth.other_member", false]]) {
  test(`after ${code} a newer token is asked for: ${fresh}`, async () => {
    const asks = [];
    wire = new Wire("ws://127.0.0.1:1", async (how) => {
      asks.push(how.fresh);
      throw new Problem(code);
    });
    wire.start();
    for (let turn = 1; turn <= 2; turn += 1) {
      while (asks.length < turn || wire.state !== "waiting") await once(wire, "state");
      if (turn === 1) page.dispatchEvent(new Event("online"));
    }

    assert.deepEqual(asks, [false, fresh]);
    assert.equal(wire.problem.code, code);
  });
}
