/**
 * Shell: small settings the browser may keep for us, or may not.
 * @module
 */

/**
 * @typedef {object} Where
 * @property {boolean} [tab] in this tab only: it outlives a reload and ends with the tab
 */

/** @param {string} key @param {Where} [where] @returns {string | null} */
export function kept(key, where) {
  try {
    return store(where).getItem(key);
  } catch {
    return null; // Storage is closed in some private windows: the site works without it.
  }
}

/** @param {string} key @param {string | null} value null forgets it @param {Where} [where] */
export function keep(key, value, where) {
  try {
    if (value === null) store(where).removeItem(key);
    else store(where).setItem(key, value);
  } catch {
    // See above.
  }
}

/** @param {Where} [where] */
function store({ tab = false } = {}) {
  return tab ? sessionStorage : localStorage;
}
