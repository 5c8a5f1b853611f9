/**
 * Core: numbers and times as one language writes them.
 * @module
 */

/**
 * @typedef {object} Formats
 * @property {(count: number) => string} count 1,234
 * @property {(count: number) => string} compact 1.2K, 1.2\uB9CC
 * @property {(seconds: number) => string} seconds 1.3
 * @property {(amount: number) => string} won \u20A91,200
 * @property {(milliseconds: number) => string} ago 3 hours ago, by the largest unit that is full
 * @property {(moment: string | number) => string} clock the hour and minute of a moment; "" for what is none
 * @property {(moment: string | number) => string} day the date and time of a moment; "" for what is none
 */

/** @param {string} locale @param {string} [timeZone] of the reader unless given @returns {Formats} */
export function formats(locale, timeZone) {
  return {
    count: numbers(locale, {}),
    compact: numbers(locale, { notation: "compact", maximumFractionDigits: 1 }),
    seconds: numbers(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 }),
    won: numbers(locale, { style: "currency", currency: "KRW", currencyDisplay: "narrowSymbol" }),
    ago: past(locale),
    clock: moments(locale, { hour: "2-digit", minute: "2-digit", hour12: false, timeZone }),
    day: moments(locale, { dateStyle: "medium", timeStyle: "short", timeZone }),
  };
}

// A format is made when it is first needed: each costs a slow phone some hundredths of a second.

/** @param {string} locale @param {Intl.NumberFormatOptions} options @returns {(value: number) => string} */
function numbers(locale, options) {
  /** @type {Intl.NumberFormat | undefined} */
  let format;
  return (value) => (format ??= new Intl.NumberFormat(locale, options)).format(value);
}

const DAY_MS = 86_400_000;
/** The largest first. A month is a twelfth of a year here. @type {[Intl.RelativeTimeFormatUnit, number][]} */
const UNITS = [["year", 365.25 * DAY_MS], ["month", 30.4375 * DAY_MS], ["week", 7 * DAY_MS], ["day", DAY_MS], ["hour", 3_600_000], ["minute", 60_000]];

/** @param {string} locale @returns {(milliseconds: number) => string} */
function past(locale) {
  /** @type {Intl.RelativeTimeFormat | undefined} */
  let format;
  return (milliseconds) => {
    const [unit, size] = UNITS.find(([, full]) => milliseconds >= full) ?? ["second", 1000];
    return (format ??= new Intl.RelativeTimeFormat(locale)).format(-Math.max(0, Math.floor(milliseconds / size)), unit);
  };
}

/** @param {string} locale @param {Intl.DateTimeFormatOptions} options @returns {(moment: string | number) => string} */
function moments(locale, options) {
  /** @type {Intl.DateTimeFormat | undefined} */
  let format;
  return (moment) => {
    const date = new Date(moment);
    return Number.isNaN(date.valueOf()) ? "" : (format ??= new Intl.DateTimeFormat(locale, options)).format(date);
  };
}

/**
 * How long something has run: 4:05, 1:04:05.
 * @param {number} milliseconds
 */
export function duration(milliseconds) {
  const whole = Math.max(0, Math.floor(milliseconds / 1000));
  const two = (/** @type {number} */ part) => String(part).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
