/**
 * Core: words by key, with the numbers and plurals of one language.
 * @module
 */

/** @typedef {string | Partial<Record<Intl.LDMLPluralRule, string>>} Phrase a text, or one text for each plural form */
/** @typedef {Record<string, Phrase>} Catalogue */
/** @typedef {(key: string, vars?: Record<string, string | number>) => string} Translate */
/** @typedef {{ t: Translate, has: (key: string) => boolean }} Words */

/**
 * The words of one language. `{name}` in a phrase is filled from `vars` (numbers in the language's own digits grouping);
 * `count` chooses the plural form. A missing key answers itself: it shows in the page and a test looks for it.
 * @param {string} locale
 * @param {Catalogue} catalogue
 * @returns {Words}
 */
export function words(locale, catalogue) {
  // Made when first needed: on a slow phone they cost a tenth of a second, and a page's first words have no numbers.
  /** @type {Intl.PluralRules | undefined} */
  let plurals;
  /** @type {Intl.NumberFormat | undefined} */
  let numbers;

  /** @param {Phrase} phrase @param {number} count */
  const form = (phrase, count) =>
    typeof phrase === "string" ? phrase : (phrase[(plurals ??= new Intl.PluralRules(locale)).select(count)] ?? phrase.other ?? "");

  /** @type {Translate} */
  const t = (key, vars = {}) => {
    const phrase = Object.hasOwn(catalogue, key) ? catalogue[key] : undefined;
    if (phrase === undefined) return key;
    // A function, not a string: "$&" in somebody's title must stay what it is.
    return form(phrase, Number(vars.count ?? 0)).replace(/\{(\w+)\}/g, (whole, name) => {
      if (!Object.hasOwn(vars, name)) return whole;
      const value = /** @type {string | number} */ (vars[name]);
      return typeof value === "number" ? (numbers ??= new Intl.NumberFormat(locale)).format(value) : value;
    });
  };

  return { t, has: (key) => Object.hasOwn(catalogue, key) };
}
