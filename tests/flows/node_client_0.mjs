// A viewer and member with rsocket-js 0.0.27, npm's "latest" and what the original Commeow's page is written with.
//   node node_client_0.mjs URL TOKEN|- CHANNEL composite|plain
// Prints one JSON object a line: {"ready": …}, each event of the room, what was answered; ends with its standard input.
import { Buffer } from "node:buffer";
import core from "rsocket-core-0";
import transport from "rsocket-websocket-client-0";

const [url, token, channel, kind] = process.argv.slice(2);
const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const composite = (mime, item) => core.encodeCompositeMetadata([[mime, item]]);
const body = (value) => Buffer.from(JSON.stringify(value));

// Plain metadata has room for a route and for nothing else, so no token: who comes so is a guest.
const isPlain = kind === "plain";
const route = (name) =>
  isPlain ? Buffer.from(String.fromCharCode(name.length) + name) : composite(core.MESSAGE_RSOCKET_ROUTING, core.encodeRoute(name));
const request = (name, value) => ({ data: body(value), metadata: route(name) });

const client = new core.RSocketClient({
  setup: {
    dataMimeType: "application/json",
    metadataMimeType: (isPlain ? core.MESSAGE_RSOCKET_ROUTING : core.MESSAGE_RSOCKET_COMPOSITE_METADATA).string,
    keepAlive: 20_000,
    lifetime: 120_000,
    payload:
      token === "-"
        ? undefined
        : { data: Buffer.alloc(0), metadata: composite(core.MESSAGE_RSOCKET_AUTHENTICATION, core.encodeBearerAuthMetadata(token)) },
  },
  transport: new transport.default({ url, wsCreator: (address) => new WebSocket(address) }, core.BufferEncoders),
});
const rsocket = await new Promise((resolve, reject) => client.connect().subscribe({ onComplete: resolve, onError: reject }));

/** What was answered, or the code of the refusal. */
const call = (name, value) =>
  new Promise((resolve) => {
    rsocket.requestResponse(request(name, value)).subscribe({
      onComplete: (payload) => resolve(JSON.parse(payload.data.toString())),
      onError: (error) => resolve({ code: JSON.parse(error.source.message).code }),
    });
  });

print({ ready: await call("session.hello", {}) });

const CREDIT = 2;
let asked = CREDIT;
let subscription;
rsocket.requestStream(request("chat.watch", { channel })).subscribe({
  onSubscribe: (given) => {
    subscription = given;
    subscription.request(CREDIT);
  },
  onNext: (payload) => {
    asked -= 1;
    print(asked < 0 ? { error: "more than was requested" } : JSON.parse(payload.data.toString()));
    if (asked === 0) {
      asked = CREDIT;
      subscription.request(CREDIT);
    }
  },
  onComplete: () => print({ complete: true }),
  onError: (error) => print({ error: String(error) }),
});

print({ said: await call("chat.say", { channel, id: crypto.randomUUID(), text: "by request" }) });
rsocket.fireAndForget(request("chat.say", { channel, id: crypto.randomUUID(), text: "by fire and forget" }));
print({ gave: await call("donation.give", { channel, id: crypto.randomUUID(), points: 30, text: "by 0.0.27" }) });
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
