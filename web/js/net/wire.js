/**
 * Shell: one connection to the house that mends itself, and streams that outlive it.
 *
 * We are connected when `session.hello` has answered, not before. Every way to fail ends in `#lost`, which waits and
 * tries again; a stream goes on where it was (`since`) with the credit that was given but not used.
 * @module
 */

import { waitMs } from "../core/backoff.js";
import { Problem } from "../core/problem.js";
import { ANSWER_MS_MAX, open } from "./rsocket.js";

/** @typedef {"idle" | "connecting" | "open" | "waiting"} WireState */
/** @typedef {{ nickname: string | null, now: string | number, expires_in?: number | null }} Hello */
/** @typedef {import("./rsocket.js").RSocket} RSocket */
/** @typedef {import("./rsocket.js").RoomEvent} RoomEvent */
/**
 * @typedef {object} Listener
 * @property {() => object} body the request, made anew at each (re)opening: with `since` it goes on where it was
 * @property {(event: RoomEvent) => void} onEvent
 * @property {(problem: Problem) => void} onRefused the house does not want this stream; it is not asked again
 */

/** A connection is given a newer token this long before the old one ends: a hidden tab's timers may be a minute late. */
const NEWER_TOKEN_BEFORE_MS = 60_000;

/** One connection to the house's RSocket server. Events: `state`. */
export class Wire extends EventTarget {
  /** @type {RSocket | null} */
  #socket = null;
  /** @type {Set<Subscription>} */
  #subscriptions = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #tokenTimer;
  #attempt = 0;
  #wanted = false;
  #freshToken = false;
  #generation = 0;

  /** @type {WireState} */
  state = "idle";
  /** What the server said when this connection was accepted. @type {Hello | null} */
  hello = null;
  /** Why there is no connection; null while one stands, and before the first. @type {unknown} */
  problem = null;

  /**
   * @param {string} url
   * @param {(how: { fresh: boolean }) => Promise<string | null>} token null: as a guest
   */
  constructor(url, token) {
    super();
    this.url = url;
    this.token = token;
  }

  start() {
    if (this.#wanted) return;
    this.#wanted = true;
    addEventListener("online", this.#soon);
    void this.#connect();
  }

  stop() {
    this.#wanted = false;
    removeEventListener("online", this.#soon);
    clearTimeout(this.#timer);
    this.#drop();
    this.#become("idle");
  }

  /**
   * Leave this connection and make another: the identity changed, or the server is about to go (`drain`).
   * @param {number} [withinMs] somewhen in this time, so that not all of a room move at once
   */
  renew(withinMs = 0) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#attempt = 0;
      if (this.#wanted) void this.#connect();
    }, withinMs * Math.random());
  }

  /**
   * A request with one answer.
   * @param {string} route
   * @param {object} body
   * @param {string | null} [as] whose request it is: it does not go out on the connection of whoever logged in meanwhile
   * @returns {Promise<any>}
   * @throws {Problem} `unknown` when it may have happened
   */
  async call(route, body, as = null) {
    await this.#opened();
    if (this.#socket === null) throw isAnothers(this.problem) ? this.problem : new Problem("wire.unreachable");
    const now = this.hello?.nickname ?? null; // A guest does nothing in anybody's name: that the house says better.
    if (as !== null && now !== null && now !== as) throw new Problem("auth.other_member");
    return this.#socket.respond(route, body);
  }

  /** A request without an answer; it is lost when there is no connection. @param {string} route @param {object} body */
  fire(route, body) {
    this.#socket?.fireAndForget(route, body);
  }

  /**
   * A stream that outlives its connection. Nothing is sent before `request(n)`.
   * @param {string} route
   * @param {Listener} listener
   */
  stream(route, listener) {
    const subscription = new Subscription(route, listener, () => this.#subscriptions.delete(subscription));
    this.#subscriptions.add(subscription);
    if (this.#socket !== null) subscription.connected(this.#socket);
    return subscription;
  }

  #soon = () => {
    if (this.state === "waiting") this.renew();
  };

  /** Whatever asked for it, and however many did: there is one connection, and one that is being made. */
  async #connect() {
    clearTimeout(this.#timer);
    this.#drop();
    const generation = this.#generation;
    this.#become("connecting");
    /** @type {RSocket | null} */
    let socket = null;
    try {
      const token = await this.token({ fresh: this.#freshToken });
      socket = await open(this.url, token);
      const gone = socket.closed;
      gone.catch((problem) => this.#lost(generation, problem));
      const hello = await Promise.race([gone, socket.respond("session.hello", {})]);
      if (generation !== this.#generation) throw new Problem("wire.lost");
      this.#socket = socket;
      this.hello = hello;
      this.problem = null;
      this.#attempt = 0;
      this.#freshToken = false;
      this.#become("open");
      this.#keepToken(socket, hello.expires_in);
      for (const subscription of [...this.#subscriptions]) subscription.connected(socket);
    } catch (error) {
      socket?.close();
      this.#lost(generation, error);
    }
  }

  /**
   * The server ends a connection with its token, unless a newer one comes in time.
   * @param {RSocket} socket @param {number | null | undefined} seconds null for a guest
   */
  #keepToken(socket, seconds) {
    clearTimeout(this.#tokenTimer);
    if (typeof seconds !== "number") return;
    this.#tokenTimer = setTimeout(async () => {
      try {
        const token = await this.token({ fresh: true });
        if (token === null || socket !== this.#socket) return;
        const renewed = await socket.respond("session.renew", { token });
        if (socket === this.#socket) this.#keepToken(socket, renewed.expires_in);
      } catch {
        // The server will close this connection, and `#lost` makes another.
      }
    }, Math.max(0, seconds * 1000 - NEWER_TOKEN_BEFORE_MS));
  }

  /** @param {number} generation @param {unknown} error */
  #lost(generation, error) {
    if (generation !== this.#generation || !this.#wanted) return;
    this.#drop();
    this.problem = error;
    // A newer token of another member would be no better.
    this.#freshToken = error instanceof Problem && error.code.startsWith("auth.") && !isAnothers(error);
    this.#become("waiting");
    clearTimeout(this.#timer); // One that was to renew the connection, which is gone now.
    this.#timer = setTimeout(() => void this.#connect(), waitMs(this.#attempt++, Math.random()));
  }

  #drop() {
    this.#generation += 1;
    clearTimeout(this.#tokenTimer);
    const socket = this.#socket;
    this.#socket = null;
    for (const subscription of this.#subscriptions) subscription.disconnected();
    socket?.close();
  }

  /** @returns {Promise<void>} when the connection stands, or after the time of a call */
  #opened() {
    if (this.state === "open") return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.removeEventListener("state", look);
        resolve();
      };
      const look = () => {
        if (this.state === "open") done();
      };
      const timer = setTimeout(done, ANSWER_MS_MAX);
      this.addEventListener("state", look);
    });
  }

  /** @param {WireState} state */
  #become(state) {
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}

/** One stream over however many connections; the credit that was given but not used goes along. */
class Subscription {
  /** @type {RSocket | null} */
  #socket = null;
  /** @type {import("./rsocket.js").Stream | null} */
  #stream = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** Events of a stream that was left behind must not count for the one that followed. @type {object | null} */
  #turn = null;
  #credit = 0;
  #attempt = 0;
  #over = false;

  /** @param {string} route @param {Listener} listener @param {() => void} forget */
  constructor(route, listener, forget) {
    this.route = route;
    this.listener = listener;
    this.forget = forget;
  }

  /** Ask for that many more events. @param {number} events */
  request(events) {
    this.#credit += events;
    if (this.#stream !== null) this.#stream.request(events);
    else this.#open();
  }

  cancel() {
    this.#over = true;
    this.forget();
    this.disconnected();
  }

  /** @param {RSocket} socket */
  connected(socket) {
    this.#socket = socket;
    this.#attempt = 0;
    this.#open();
  }

  disconnected() {
    clearTimeout(this.#timer);
    const stream = this.#stream;
    this.#turn = null;
    this.#stream = null;
    this.#socket = null;
    stream?.cancel();
  }

  #open() {
    if (this.#over || this.#socket === null || this.#stream !== null || this.#credit <= 0) return;
    const turn = {};
    this.#turn = turn;
    this.#stream = this.#socket.requestStream(this.route, this.listener.body(), this.#credit, {
      onEvent: (event) => {
        if (this.#turn !== turn) return;
        this.#credit -= 1;
        this.#attempt = 0;
        this.listener.onEvent(event);
      },
      onEnd: (problem) => {
        if (this.#turn === turn) this.#ended(problem);
      },
    });
    // A socket that closed in this very moment has answered already.
    if (this.#turn !== turn) this.#stream = null;
  }
  /** @param {Problem | null} problem null: the server ended the stream but not the connection */
  #ended(problem) {
    this.#turn = null;
    this.#stream = null;
    if (problem === null || isPassing(problem)) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#open(), waitMs(this.#attempt++, Math.random()));
      return;
    }
    this.#over = true;
    this.forget();
    this.listener.onRefused(problem);
  }
}

/** Has another than the one whose page this is logged in? @param {unknown} problem */
export function isAnothers(problem) {
  return problem instanceof Problem && problem.code === "auth.other_member";
}

/** Worth asking again in a while? @param {Problem} problem */
function isPassing({ retry, unknown }) {
  return unknown || retry;
}
