// rsocket-js 1.0.0-alpha.3 as somebody's own page would use it; bundled by test_rsocket_js.py.
import { Buffer } from "buffer/";
import { encodeBearerAuthMetadata, encodeCompositeMetadata, encodeRoute, WellKnownMimeType } from "rsocket-composite-metadata";
import { RSocketConnector } from "rsocket-core";
import { WebsocketClientTransport } from "rsocket-websocket-client";

globalThis.Buffer = Buffer;
const metadata = (items) => encodeCompositeMetadata(new Map(items));
const route = (name) => metadata([[WellKnownMimeType.MESSAGE_RSOCKET_ROUTING, encodeRoute(name)]]);
const body = (value) => Buffer.from(JSON.stringify(value));

/** Watch `channel`, say `text`, and give the events of the room until that line has come back. */
globalThis.visit = async ({ url, token, channel, text }) => {
  const bearer = metadata([[WellKnownMimeType.MESSAGE_RSOCKET_AUTHENTICATION, encodeBearerAuthMetadata(token)]]);
  const rsocket = await new RSocketConnector({
    setup: {
      dataMimeType: "application/json",
      metadataMimeType: WellKnownMimeType.MESSAGE_RSOCKET_COMPOSITE_METADATA.string,
      keepAlive: 20_000,
      lifetime: 120_000,
      payload: { data: Buffer.alloc(0), metadata: bearer },
    },
    transport: new WebsocketClientTransport({ url, wsCreator: (address) => new WebSocket(address) }),
  }).connect();
  const events = await new Promise((resolve, reject) => {
    const seen = [];
    const stream = rsocket.requestStream({ data: body({ channel }), metadata: route("chat.watch") }, 1, {
      onNext: (payload) => {
        seen.push(JSON.parse(payload.data.toString()));
        if (seen.at(-1).text === text) resolve(seen);
        else stream.request(1);
      },
      onComplete: () => reject(new Error("the room has ended")),
      onError: reject,
      onExtension: () => {},
    });
    rsocket.requestResponse(
      { data: body({ channel, id: "1", text }), metadata: route("chat.say") },
      { onNext: () => {}, onComplete: () => {}, onError: reject, onExtension: () => {} },
    );
  });
  rsocket.close();
  return events;
};
