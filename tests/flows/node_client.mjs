// A viewer and member with rsocket-js 1.0.0-alpha.3, as anybody's bot would be written.
//   node node_client.mjs URL TOKEN|- CHANNEL [TEXT TO SAY]
// Prints one JSON object a line: {"ready": …}, then each event of the room; ends when its standard input ends.
import { Buffer } from "node:buffer";
import { encodeBearerAuthMetadata, encodeCompositeMetadata, encodeRoute, WellKnownMimeType } from "rsocket-composite-metadata";
import { RSocketConnector } from "rsocket-core";
import { WebsocketClientTransport } from "rsocket-websocket-client";

const [url, token, channel, text] = process.argv.slice(2);
const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const metadata = (items) => encodeCompositeMetadata(new Map(items));
const route = (name) => metadata([[WellKnownMimeType.MESSAGE_RSOCKET_ROUTING, encodeRoute(name)]]);
const body = (value) => Buffer.from(JSON.stringify(value));

const connector = new RSocketConnector({
  setup: {
    dataMimeType: "application/json",
    metadataMimeType: WellKnownMimeType.MESSAGE_RSOCKET_COMPOSITE_METADATA.string,
    keepAlive: 20_000,
    lifetime: 120_000,
    payload:
      token === "-"
        ? undefined
        : {
            data: Buffer.alloc(0),
            metadata: metadata([[WellKnownMimeType.MESSAGE_RSOCKET_AUTHENTICATION, encodeBearerAuthMetadata(token)]]),
          },
  },
  transport: new WebsocketClientTransport({ url, wsCreator: (address) => new WebSocket(address) }),
});
const rsocket = await connector.connect();

const call = (name, value) =>
  new Promise((resolve, reject) => {
    rsocket.requestResponse(
      { data: body(value), metadata: route(name) },
      { onNext: (payload) => resolve(JSON.parse(payload.data)), onComplete: () => {}, onError: reject, onExtension: () => {} },
    );
  });

print({ ready: await call("session.hello", {}) });
rsocket.requestStream({ data: body({ channel }), metadata: route("chat.watch") }, 2 ** 31 - 1, {
  onNext: (payload) => print(JSON.parse(payload.data)),
  onComplete: () => print({ complete: true }),
  onError: (error) => print({ error: { code: error.code, message: error.message } }),
  onExtension: () => {},
});
if (text) {
  const id = crypto.randomUUID();
  try {
    print({ answer: await call("chat.say", { channel, id, text }) });
  } catch (error) {
    print({ error: { code: error.code, message: error.message } });
  }
}
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
