/**
 * Shell: RSocket over a WebSocket, as promises. The only module that knows rsocket-js, and where its traps end:
 *
 * - it calls itself connected once SETUP is sent and tells of a rejected SETUP by closing: see `closed`;
 * - it rejects with `undefined` when the server is not there, and waits for ever when nothing answers: see `open`;
 * - it warns in the console when it is closed twice: see `close`.
 * @module
 */

import {
  Buffer,
  encodeBearerAuthMetadata,
  encodeCompositeMetadata,
  encodeRoute,
  RSocketConnector,
  WebsocketClientTransport,
  WellKnownMimeType,
} from "/js/vendor/rsocket.js";
import { Problem, problemFrom } from "../core/problem.js";

/** @typedef {import("rsocket-core").RSocket} RSocket */
/** @typedef {ReturnType<RSocket["requestStream"]>} Stream */
/** @typedef {Record<string, unknown> & { kind: string }} RoomEvent */

/** Hidden tabs have their timers thinned to one a minute: the server waits at least this long. */
const LIFETIME_MS = 120_000;
const KEEP_ALIVE_MS = 20_000;
/** A connection that is not there after this is not coming. */
const CONNECT_MS_MAX = 8_000;
/** A request that has no answer after this has an unknown outcome. */
export const ANSWER_MS_MAX = 10_000;
/** The protocol's code for "it may have begun". */
const CANCELED = 0x203;
/** Codes that speak of one request: application error, rejected, cancelled, invalid. */
const REQUEST_ERRORS = Object.freeze([0x201, 0x202, CANCELED, 0x204]);

/** @type {WeakSet<RSocket>} */
const gone = new WeakSet();

/**
 * Open a connection and send SETUP. Whether it was accepted shows in the first answer.
 * @param {string} url
 * @param {string | null} token null: as a guest
 * @returns {Promise<RSocket>}
 * @throws {Problem} `wire.unreachable`
 */
export async function open(url, token) {
  /** @type {WebSocket | null} */
  let webSocket = null;
  const metadata =
    token === null
      ? undefined
      : encodeCompositeMetadata([
          [WellKnownMimeType.MESSAGE_RSOCKET_AUTHENTICATION, encodeBearerAuthMetadata(token)],
        ]);
  const connector = new RSocketConnector({
    setup: {
      dataMimeType: WellKnownMimeType.APPLICATION_JSON.string,
      metadataMimeType: WellKnownMimeType.MESSAGE_RSOCKET_COMPOSITE_METADATA.string,
      keepAlive: KEEP_ALIVE_MS,
      lifetime: LIFETIME_MS,
      payload: { data: undefined, ...(metadata === undefined ? {} : { metadata }) },
    },
    transport: new WebsocketClientTransport({
      url,
      wsCreator: (address) => {
        webSocket = new WebSocket(address);
        return webSocket;
      },
    }),
  });
  // rsocket-js waits for ever where nothing answers; closing the socket makes it give up.
  const timer = setTimeout(() => webSocket?.close(), CONNECT_MS_MAX);
  try {
    return await connector.connect();
  } catch {
    throw new Problem("wire.unreachable");
  } finally {
    clearTimeout(timer);
  }
}

/** Rejects with the reason when the connection ends: a rejected SETUP is told here. @param {RSocket} socket @returns {Promise<never>} */
export function closed(socket) {
  return new Promise((_, reject) => {
    socket.onClose((error) => {
      gone.add(socket);
      reject(closeProblem(error));
    });
  });
}

/** @param {RSocket | null} socket */
export function close(socket) {
  if (socket === null || gone.has(socket)) return;
  gone.add(socket);
  socket.close();
}

/**
 * @param {RSocket} socket
 * @param {string} route
 * @param {object} body
 * @param {number} credit events to ask for at once, above 0
 * @param {{ onEvent: (event: RoomEvent) => void, onEnd: (problem: Problem | null) => void }} listener
 * @returns {Stream} `request(n)` and `cancel()`
 */
export function requestStream(socket, route, body, credit, { onEvent, onEnd }) {
  return socket.requestStream(payload(route, body), credit, {
    onNext: ({ data }, isComplete) => {
      onEvent(parse(data) ?? { kind: "" });
      if (isComplete) onEnd(null);
    },
    onComplete: () => onEnd(null),
    onError: (error) => onEnd(requestProblem(error)),
    onExtension: () => {},
  });
}

/** A request without an answer. @param {RSocket} socket @param {string} route @param {object} body */
export function fireAndForget(socket, route, body) {
  socket.fireAndForget(payload(route, body), { onError: () => {}, onComplete: () => {} });
}

/**
 * A request with one answer.
 * @param {RSocket} socket
 * @param {string} route
 * @param {object} body
 * @returns {Promise<any>}
 * @throws {Problem} `unknown` when it may have happened
 */
export function respond(socket, route, body) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      asked.cancel();
      reject(new Problem("wire.timeout", { unknown: true }));
    }, ANSWER_MS_MAX);
    const asked = socket.requestResponse(payload(route, body), {
      onNext: ({ data }) => {
        clearTimeout(timer);
        resolve(parse(data));
      },
      onComplete: () => {
        clearTimeout(timer);
        resolve(null);
      },
      onError: (error) => {
        clearTimeout(timer);
        reject(requestProblem(error));
      },
      onExtension: () => {},
    });
  });
}

/** @param {string} route @param {object} body */
function payload(route, body) {
  return {
    // The browser's Buffer is the npm package; rsocket-js was typed with Node's. They are the same at work.
    data: /** @type {any} */ (Buffer.from(JSON.stringify(body))),
    metadata: encodeCompositeMetadata([[WellKnownMimeType.MESSAGE_RSOCKET_ROUTING, encodeRoute(route)]]),
  };
}

/** @param {Uint8Array | null | undefined} data @returns {any} null for what is not JSON */
function parse(data) {
  try {
    return JSON.parse(new TextDecoder().decode(data ?? undefined));
  } catch {
    return null;
  }
}

/** @param {Error & { code?: number }} error of one request */
function requestProblem(error) {
  // Anything else is the connection's end, told to each request that was open: nobody knows how far it came.
  if (!REQUEST_ERRORS.includes(error.code ?? 0)) return new Problem("wire.lost", { unknown: true });
  const problem = problemFrom(parseText(error.message), "internal", { unknown: error.code === CANCELED });
  problem.unknown ||= problem.code === "store.unknown" || problem.code === "internal";
  return problem;
}

/** @param {(Error & { code?: number }) | undefined} error why the connection closed, as far as rsocket-js says */
function closeProblem(error) {
  return problemFrom(parseText(error?.message ?? ""), "wire.lost", { unknown: true });
}

/** @param {string} text @returns {unknown} */
function parseText(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
