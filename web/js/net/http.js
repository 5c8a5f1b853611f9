/**
 * Shell: one HTTP request to the house: JSON in, JSON out, every failure a Problem.
 * @module
 */

import { Problem, problemFrom } from "../core/problem.js";

/** Longer than any honest answer (a login hashes for a tenth of a second, in a queue). */
const ANSWER_MS_MAX = 15_000;

/**
 * @param {"GET" | "POST" | "PATCH" | "PUT" | "DELETE"} method
 * @param {string} path
 * @param {{ body?: unknown, token?: string | null, signal?: AbortSignal }} [more] `signal` gives it up: its answer changes no cookie
 * @returns {Promise<any>} null when there is no body
 * @throws {Problem}
 */
export async function request(method, path, { body, token = null, signal } = {}) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (token !== null) headers.Authorization = `Bearer ${token}`;

  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers,
      credentials: "same-origin",
      cache: "no-store",
      signal: inTime(signal),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    // A GET changes nothing; anything else may have arrived before the line broke.
    throw new Problem("wire.unreachable", { unknown: method !== "GET" });
  }
  const said = await answer.json().catch(() => null);
  if (!answer.ok) throw problemFrom(said, "internal", { status: answer.status, unknown: answer.status >= 500 });
  return said;
}

/** What `AbortSignal.any` would do, which Safari has since 17.4 only. @param {AbortSignal | undefined} signal */
function inTime(signal) {
  const timeout = AbortSignal.timeout(ANSWER_MS_MAX);
  if (signal === undefined) return timeout;
  const either = new AbortController();
  for (const one of [timeout, signal]) one.addEventListener("abort", () => either.abort(one.reason));
  if (signal.aborted) either.abort(signal.reason);
  return either.signal;
}
