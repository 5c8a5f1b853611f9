/**
 * Shell: who is looking: a guest, or a member whose short token lives in memory and whose long one no script can read.
 * @module
 */

import { nextPath } from "../core/next_path.js";
import { asProblem, Problem } from "../core/problem.js";
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
  #renewal = new AbortController();
  /** Whose this page is; null where it goes along with whoever looks. @type {string | null} */
  #bound = null;

  /** The member's nickname, or null for a guest. */
  nickname = kept(HINT);

  /**
   * A token that is good for a request now; null for a guest.
   * @param {{ fresh?: boolean }} [how] `fresh`: the one in memory was refused
   * @throws {Problem} when this is a member but the house cannot be asked, or another than the one the page is for
   */
  async token({ fresh = false } = {}) {
    if (this.nickname === null) return null;
    if (fresh || this.#token === null || Date.now() > this.#endsAtMs - RENEW_BEFORE_MS) {
      this.#renewing ??= this.#renew().finally(() => {
        this.#renewing = null;
      });
      await this.#renewing;
    }
    if (this.#bound !== null && this.nickname !== null && this.nickname !== this.#bound) throw new Problem("auth.other_member");
    return this.#token;
  }

  /** This page is drawn for the member who looks now: whoever logs in beside it does not act by what stands here. */
  bind() {
    this.#bound = this.nickname;
  }

  /** @param {string} loginId @param {string} password */
  async logIn(loginId, password) {
    // A renewal goes on meanwhile: if the password is wrong, the cookie that it brings is the one that counts.
    const answer = await request("POST", "/api/members/login", { body: { login_id: loginId, password } });
    this.#renewal.abort(); // Its cookie would come after this one's.
    this.#take(answer);
  }

  /** @returns {Promise<boolean>} false: another has logged in beside this page, and it is not for it to end that */
  async logOut() {
    const whose = this.#bound ?? this.nickname;
    const now = kept(HINT) ?? this.nickname; // What the other pages know.
    if (now !== null && now !== whose) return false;
    this.#renewal.abort();
    // Whatever the answer is: this browser forgets. A cookie that could not be revoked ends by itself.
    await request("POST", "/api/members/logout", {}).catch(() => null);
    this.#renewal.abort(); // One that began since.
    this.#forget();
    return true;
  }

  async #renew() {
    this.#renewal = new AbortController();
    const { signal } = this.#renewal;
    const answer = await request("POST", "/api/members/refresh", { signal }).catch(asProblem);
    // Somebody has logged in or out since it was asked: the answer is not about them.
    if (signal.aborted) return;
    if (!(answer instanceof Problem)) this.#take(answer);
    else if (answer.status !== 400 && answer.status !== 401 && answer.status !== 403) throw answer;
    else this.#forget();
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
