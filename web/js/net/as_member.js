/**
 * Shell: one HTTP request as the member who looks at this page.
 * @module
 */

import { asProblem } from "../core/problem.js";
import { request } from "./http.js";
import { identity } from "./identity.js";

/**
 * @param {"GET" | "POST" | "PATCH" | "PUT" | "DELETE"} method
 * @param {string} path
 * @param {unknown} [body]
 */
export async function asMember(method, path, body) {
  try {
    return await request(method, path, { body, token: await identity.token() });
  } catch (error) {
    const { code } = asProblem(error);
    if (code !== "auth.token_expired" && code !== "auth.token_invalid") throw error;
    // The house no longer likes this token (its clock, its secret): one fresh one, then its word is final.
    return request(method, path, { body, token: await identity.token({ fresh: true }) });
  }
}
