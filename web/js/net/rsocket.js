/**
 * Shell: RSocket over one WebSocket: requests with one answer, without one, and streams that are asked for.
 *
 * Our own, because rsocket-js and the Buffer it needs weigh twelve times as much and wait for ever on a socket that
 * closes before it opened. Not here, because no page needs it: channels, leases, resumption, sending in fragments.
 * @module
 */

import * as frames from "../core/frames.js";
import { Problem, problemFrom } from "../core/problem.js";

/** @typedef {Record<string, unknown> & { kind: string }} RoomEvent */
/** @typedef {{ request: (events: number) => void, cancel: () => void }} Stream */
/**
 * @typedef {object} Listener of one request
 * @property {(data: Uint8Array) => void} onNext
 * @property {(problem: Problem | null) => void} onEnd null: complete
 */

/** Hidden tabs have their timers thinned to one a minute: the server waits at least this long, and so do we. */
const LIFETIME_MS = 120_000;
const KEEP_ALIVE_MS = 20_000;
/** A connection that is not there after this is not coming. */
const CONNECT_MS_MAX = 8_000;
/** A request that has no answer after this has an unknown outcome. */
export const ANSWER_MS_MAX = 10_000;
/** The house sends one event a frame, at most as long as a message may be. Fragments beyond it are an attack or a fault. */
const PAYLOAD_BYTES_MAX = 1_048_576;
/** The protocol's codes that speak of one request. CANCELED: it may have begun. */
const APPLICATION_ERROR = 0x201;
const CANCELED = 0x203;
const INVALID = 0x204;

/**
 * Open a connection and send SETUP. Whether it was accepted shows in the first answer.
 * @param {string} url
 * @param {string | null} token null: as a guest
 * @returns {Promise<RSocket>}
 * @throws {Problem} `wire.unreachable`
 */
export function open(url, token) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    const timer = setTimeout(() => failed(), CONNECT_MS_MAX);
    const failed = () => {
      clearTimeout(timer);
      socket.onopen = null;
      socket.close();
      reject(new Problem("wire.unreachable"));
    };
    socket.onerror = failed;
    socket.onclose = failed;
    socket.onopen = () => {
      clearTimeout(timer);
      resolve(new RSocket(socket, token));
    };
  });
}

/** One connection that stands. */
export class RSocket {
  #socket;
  /** Ours are the odd ones. */
  #nextId = 1;
  /** @type {Map<number, Listener>} */
  #open = new Map();
  /** Fragments that wait for the rest. @type {Map<number, Uint8Array[]>} */
  #parts = new Map();
  #heardAtMs = performance.now();
  /** @type {Problem | null} */
  #ended = null;
  /** @type {ReturnType<typeof setInterval>} */
  #beat;
  /** @type {(problem: Problem) => void} */
  #tellEnd = () => {};

  /** Rejects with the reason when the connection ends: a rejected SETUP is told here. @type {Promise<never>} */
  closed = new Promise((_, reject) => {
    this.#tellEnd = reject;
  });

  /** @param {WebSocket} socket open @param {string | null} token */
  constructor(socket, token) {
    this.#socket = socket;
    this.closed.catch(() => null); // Nobody has to listen.
    socket.onerror = null;
    socket.onclose = () => this.#end(new Problem("wire.lost", { unknown: true }));
    socket.onmessage = ({ data }) => this.#received(data);
    this.#send(frames.setup({ keepAliveMs: KEEP_ALIVE_MS, lifetimeMs: LIFETIME_MS, token }));
    this.#beat = setInterval(() => this.#keepAlive(), KEEP_ALIVE_MS);
  }

  close() {
    this.#end(new Problem("wire.lost", { unknown: true }));
  }

  /**
   * A request with one answer.
   * @param {string} route
   * @param {object} body
   * @returns {Promise<any>}
   * @throws {Problem} `unknown` when it may have happened
   */
  respond(route, body) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#cancel(id);
        reject(new Problem("wire.timeout", { unknown: true }));
      }, ANSWER_MS_MAX);
      const id = this.#ask(frames.REQUEST_RESPONSE, route, body, {
        onNext: (data) => resolve(frames.json(data)),
        onEnd: (problem) => {
          clearTimeout(timer);
          if (problem === null) resolve(null); // Without effect when the answer has come.
          else reject(problem);
        },
      });
    });
  }

  /**
   * @param {string} route
   * @param {object} body
   * @param {number} credit events to ask for at once, above 0
   * @param {{ onEvent: (event: RoomEvent) => void, onEnd: (problem: Problem | null) => void }} listener
   * @returns {Stream}
   */
  requestStream(route, body, credit, { onEvent, onEnd }) {
    const onNext = (/** @type {Uint8Array} */ data) => onEvent(frames.json(data) ?? { kind: "" });
    const id = this.#ask(frames.REQUEST_STREAM, route, body, { onNext, onEnd }, credit);
    return {
      request: (events) => {
        if (this.#open.has(id)) this.#send(frames.requestN(id, events));
      },
      cancel: () => this.#cancel(id),
    };
  }

  /** A request without an answer. @param {string} route @param {object} body */
  fireAndForget(route, body) {
    this.#send(frames.request(this.#newId(), frames.REQUEST_FNF, route, JSON.stringify(body)));
  }

  /** @param {number} type @param {string} route @param {object} body @param {Listener} listener @param {number} [credit] */
  #ask(type, route, body, listener, credit) {
    const id = this.#newId();
    if (this.#ended !== null) {
      listener.onEnd(this.#ended);
      return id;
    }
    this.#open.set(id, listener);
    this.#send(frames.request(id, type, route, JSON.stringify(body), credit));
    return id;
  }

  #newId() {
    const id = this.#nextId;
    this.#nextId += 2;
    return id;
  }

  /** @param {number} id */
  #cancel(id) {
    this.#parts.delete(id);
    if (this.#open.delete(id)) this.#send(frames.cancel(id));
  }

  /** @param {Uint8Array<ArrayBuffer>} frame */
  #send(frame) {
    if (this.#ended === null) this.#socket.send(frame);
  }

  #keepAlive() {
    // A server that went without a word leaves a socket that looks open for minutes.
    if (performance.now() - this.#heardAtMs > LIFETIME_MS) this.close();
    else this.#send(frames.keepAlive(true));
  }

  /** @param {unknown} message */
  #received(message) {
    this.#heardAtMs = performance.now();
    try {
      if (!(message instanceof ArrayBuffer)) throw new RangeError("a text message");
      this.#heard(frames.read(message));
    } catch (error) {
      this.close();
      if (!(error instanceof RangeError)) throw error;
    }
  }

  /** @param {frames.Frame} frame */
  #heard({ streamId, type, flags, code, data }) {
    if (type === frames.KEEPALIVE) {
      if ((flags & frames.RESPOND) !== 0) this.#send(frames.keepAlive(false, data));
    } else if (type === frames.ERROR && streamId === 0) {
      this.#end(problemFrom(frames.json(data), "wire.lost", { unknown: true }));
    } else if (type === frames.ERROR) {
      this.#finish(streamId, requestProblem(code, data));
    } else if (type === frames.PAYLOAD) {
      this.#payload(streamId, flags, data);
    }
    // Whatever else there is (leases, extensions) has nothing for us.
  }

  /** @param {number} id @param {number} flags @param {Uint8Array} data */
  #payload(id, flags, data) {
    const listener = this.#open.get(id);
    if (listener === undefined) return; // Cancelled: it was on its way.
    const parts = [...(this.#parts.get(id) ?? []), data];
    if ((flags & frames.FOLLOWS) !== 0) {
      if (parts.reduce((sum, part) => sum + part.length, 0) > PAYLOAD_BYTES_MAX) throw new RangeError("too many fragments");
      this.#parts.set(id, parts);
      return;
    }
    this.#parts.delete(id);
    if ((flags & frames.NEXT) !== 0) listener.onNext(parts.length === 1 ? data : frames.joined(parts));
    if ((flags & frames.COMPLETE) !== 0) this.#finish(id, null);
  }

  /** @param {number} id @param {Problem | null} problem */
  #finish(id, problem) {
    const listener = this.#open.get(id);
    this.#open.delete(id);
    this.#parts.delete(id);
    listener?.onEnd(problem);
  }

  /** @param {Problem} reason */
  #end(reason) {
    if (this.#ended !== null) return;
    this.#ended = reason;
    clearInterval(this.#beat);
    this.#socket.onclose = null;
    this.#socket.onmessage = null;
    this.#socket.close();
    // Nobody knows how far the requests came that were open; the reason is of the connection, not of them.
    const lost = new Problem("wire.lost", { unknown: true });
    for (const id of [...this.#open.keys()]) this.#finish(id, lost);
    this.#tellEnd(reason);
  }
}

/** @param {number} code @param {Uint8Array} data */
function requestProblem(code, data) {
  if (code < APPLICATION_ERROR || code > INVALID) return new Problem("wire.lost", { unknown: true });
  const problem = problemFrom(frames.json(data), "internal", { unknown: code === CANCELED });
  problem.unknown ||= problem.code === "store.unknown" || problem.code === "internal";
  return problem;
}
