/**
 * Core: where to go after logging in or signing up: a path of this site and nothing else.
 * @module
 */

/**
 * @param {string | null} wanted
 * @returns {string} `wanted` when it is a plain path of ours, else the home page
 */
export function nextPath(wanted) {
  // "//host" and "/\host" are other sites to a browser, and control characters are dropped before it looks.
  return wanted !== null && /^\/(?![/\\])[^\\\u0000-\u001f]*$/.test(wanted) ? wanted : "/";
}

/** @param {string} path @returns {string} the log-in page that comes back to `path` */
export function logInPath(path) {
  return `/login?next=${encodeURIComponent(path)}`;
}

/** @param {string} path @returns {string} the sign-up page that comes back to `path` */
export function signUpPath(path) {
  return `/signup?next=${encodeURIComponent(path)}`;
}
