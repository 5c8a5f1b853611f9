/**
 * Shell: who is looking: a guest, or a member whose short token lives in memory and whose long one no script can read.
 * @module
 */

import { nextPath } from "../core/next_path.js";
import { asProblem } from "../core/problem.js";
import { request } from "./http.js";
import { keep, kept } from "./storage.js";

/** Only a hint that asking for a token is worth while, and the name to show until the answer comes. No secret. */
const HINT = "commeow.nickname";
/** A token is renewed this long before it ends, so that no request starts with one that dies on the way. */
const RENEW_BEFORE_MS = 30_000;

class Identity extends EventTarget {
  /** @type {string | null} */
  #token = null;
  #endsAtMs = 0;
  /** @type {Promise<void> | null} */
  #renewing = null;

  /** The member's nickname, or null for a guest. */
  nickname = kept(HINT);

  /**
   * A token that is good for a request now; null for a guest.
   * @param {{ fresh?: boolean }} [how] `fresh`: the one in memory was refused
   * @throws {import("../core/problem.js").Problem} when this is a member but the house cannot be asked
   */
  async token({ fresh = false } = {}) {
    if (this.nickname === null) return null;
    if (fresh || this.#token === null || Date.now() > this.#endsAtMs - RENEW_BEFORE_MS) {
      this.#renewing ??= this.#renew().finally(() => {
        this.#renewing = null;
      });
      await this.#renewing;
    }
    return this.#token;
  }

  /** @param {string} loginId @param {string} password */
  async logIn(loginId, password) {
    this.#take(await request("POST", "/api/members/login", { body: { login_id: loginId, password } }));
  }

  async logOut() {
    // Whatever the answer is: this browser forgets. A cookie that could not be revoked ends by itself.
    await request("POST", "/api/members/logout", {}).catch(() => null);
    this.#forget();
  }

  async #renew() {
    const before = this.#token;
    try {
      this.#take(await request("POST", "/api/members/refresh"));
    } catch (error) {
      const { status } = asProblem(error);
      if (status !== 400 && status !== 401 && status !== 403) throw error;
      // Somebody may have logged in since it was asked: the answer is not about them.
      if (this.#token === before) this.#forget();
    }
  }

  /** @param {{ access_token: string, expires_in: number, nickname: string }} answer */
  #take({ access_token, expires_in, nickname }) {
    this.#token = access_token;
    this.#endsAtMs = Date.now() + expires_in * 1000;
    this.#become(nickname);
  }

  #forget() {
    this.#token = null;
    this.#become(null);
  }

  /** @param {string | null} nickname */
  #become(nickname) {
    keep(HINT, nickname);
    if (nickname === this.nickname) return;
    this.nickname = nickname;
    this.dispatchEvent(new Event("change"));
  }
}

/** The one who looks at this page. */
export const identity = new Identity();

/** Where whoever logs in or signs up on this page came from. @returns {string} */
export function cameFrom() {
  return nextPath(new URLSearchParams(location.search).get("next"));
}

/** On a page for guests: whoever is a member already goes on to where they came from. */
export async function goOnAsMember() {
  if ((await identity.token().catch(() => null)) !== null) location.replace(cameFrom());
}
