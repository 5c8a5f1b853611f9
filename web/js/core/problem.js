/**
 * Core: a refusal as a stable code, and the words for it.
 * @module
 */

/** @typedef {import("./i18n.js").Words} Words */

/** A refusal of the house or of the way to it. `code` is the contract's; the words live in the catalogue. */
export class Problem extends Error {
  /**
   * @param {string} code
   * @param {{ status?: number, retryAfterMs?: number, field?: string, incident?: string, unknown?: boolean, retry?: boolean }} [more]
   *   `unknown`: it may have happened; the same request with the same id is the way to find out.
   *   `retry`: surely not done; the same request may succeed later.
   */
  constructor(code, { status = 0, retryAfterMs = 0, field = "", incident = "", unknown = false, retry = false } = {}) {
    super(code);
    this.name = "Problem";
    this.code = code;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
    this.field = field;
    this.incident = incident;
    this.unknown = unknown;
    this.retry = retry;
  }
}

/**
 * What the wire said (problem+json of HTTP, error data of RSocket), as a Problem. Anything that is not one of ours,
 * such as a proxy's page, becomes the fallback.
 * @param {unknown} body
 * @param {string} fallback
 * @param {{ status?: number, unknown?: boolean }} [more]
 */
export function problemFrom(body, fallback, { status = 0, unknown = false } = {}) {
  const said = /** @type {Record<string, unknown>} */ (body !== null && typeof body === "object" ? body : {});
  const code = typeof said.code === "string" && /^[a-z_]+(\.[a-z_]+)*$/.test(said.code) ? said.code : fallback;
  return new Problem(code, {
    status,
    retryAfterMs: typeof said.retry_after_ms === "number" ? said.retry_after_ms : 0,
    field: typeof said.field === "string" ? said.field : "",
    incident: typeof said.incident === "string" ? said.incident : "",
    unknown,
    retry: said.retry === true,
  });
}

/** @param {unknown} error @returns {Problem} */
export function asProblem(error) {
  return error instanceof Problem ? error : new Problem("internal");
}

/**
 * The sentence for a refusal. A code the catalogue does not know falls back to `internal`, which names the incident.
 * @param {Words} words
 * @param {unknown} error
 */
export function sentence({ t, has }, error) {
  const problem = asProblem(error);
  const seconds = Math.max(1, Math.ceil(problem.retryAfterMs / 1000));
  const key = `error.${problem.code}`;
  if (has(key)) return t(key, { count: seconds });
  return problem.incident === "" ? t("error.internal") : t("error.internal_incident", { incident: problem.incident });
}
