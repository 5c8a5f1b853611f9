// rsocket-js is CommonJS of the year 2022 and needs a bundler. web/js/net/rsocket.js is the only module that imports this.
export { Buffer } from "buffer/";
export { RSocketConnector } from "rsocket-core";
export {
  WellKnownMimeType,
  encodeBearerAuthMetadata,
  encodeCompositeMetadata,
  encodeRoute,
} from "rsocket-composite-metadata";
export { WebsocketClientTransport } from "rsocket-websocket-client";
