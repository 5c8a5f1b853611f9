/**
 * Shell: small settings the browser may keep for us, or may not.
 * @module
 */

/** @param {string} key @returns {string | null} */
export function kept(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // Storage is closed in some private windows: the site works without it.
  }
}

/** @param {string} key @param {string | null} value null forgets it */
export function keep(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // See above.
  }
}
