// Reads a chat with rsocket-js 1.0.0-alpha.3, a few events at a time, and says one line if it has a token.
//   node watch_and_say.mjs ws://localhost:6565/rsocket CHANNEL [TEXT]        (the token in COMMEOW_TOKEN)
// In a page: the same, bundled, with the npm package `buffer` as the global Buffer.
import { Buffer } from "node:buffer";
import { encodeBearerAuthMetadata, encodeCompositeMetadata, encodeRoute, WellKnownMimeType } from "rsocket-composite-metadata";
import { RSocketConnector } from "rsocket-core";
import { WebsocketClientTransport } from "rsocket-websocket-client";

const CREDIT = 32; // The server sends no more than this before we ask again: a slow reader is never buried.

const [url, channel, text] = process.argv.slice(2);
const token = process.env.COMMEOW_TOKEN;
const { MESSAGE_RSOCKET_AUTHENTICATION, MESSAGE_RSOCKET_COMPOSITE_METADATA, MESSAGE_RSOCKET_ROUTING } = WellKnownMimeType;

const request = (route, body) => ({
  data: Buffer.from(JSON.stringify(body)),
  metadata: encodeCompositeMetadata([[MESSAGE_RSOCKET_ROUTING, encodeRoute(route)]]),
});

const connector = new RSocketConnector({
  setup: {
    dataMimeType: "application/json",
    metadataMimeType: MESSAGE_RSOCKET_COMPOSITE_METADATA.string,
    keepAlive: 20_000,
    lifetime: 90_000,
    payload: token
      ? {
          data: Buffer.alloc(0),
          metadata: encodeCompositeMetadata([[MESSAGE_RSOCKET_AUTHENTICATION, encodeBearerAuthMetadata(token)]]),
        }
      : undefined,
  },
  transport: new WebsocketClientTransport({ url, wsCreator: (address) => new WebSocket(address) }),
});
const rsocket = await connector.connect();
rsocket.onClose((error) => {
  console.error("closed", error?.message ?? "");
  process.exit(1);
});

const respond = (route, body) =>
  new Promise((resolve, reject) => {
    rsocket.requestResponse(request(route, body), {
      onNext: ({ data }) => resolve(data.toString()),
      onComplete: () => {},
      onError: reject,
      onExtension: () => {},
    });
  });

console.log(await respond("session.hello", {}));
let read = 0;
const watch = rsocket.requestStream(request("chat.watch", { channel }), CREDIT, {
  onNext: ({ data }) => {
    console.log(data.toString());
    read += 1;
    if (read === CREDIT / 2) {
      read = 0;
      watch.request(CREDIT / 2);
    }
  },
  onComplete: () => process.exit(0),
  onError: (error) => {
    console.error("refused", error.message);
    process.exit(1);
  },
  onExtension: () => {},
});
if (text) console.log(await respond("chat.say", { channel, id: crypto.randomUUID(), text }));
