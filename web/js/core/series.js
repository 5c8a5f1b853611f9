/**
 * Core: how a broadcast has done so far, figure by figure, and the lines it draws.
 * @module
 */

/** As many as the house keeps: two hours, a sample each five seconds. */
export const SAMPLES_MAX = 1_440;

export const FIGURES = Object.freeze(/** @type {const} */ (["viewers", "kilobits", "frames", "keyframe_seconds"]));

/** @typedef {readonly (number | null)[]} Series oldest first; null is not known */
/** @typedef {{ every_seconds: number, first: number } & Record<typeof FIGURES[number], Series>} History numbered from the broadcast's beginning */

/** The number of the sample that comes next. @param {History | null} history */
export function nextOf(history) {
  return history === null ? 0 : history.first + history.viewers.length;
}

/**
 * What was known and what is new.
 * @param {History | null} known
 * @param {History} more asked for from `nextOf(known)` on
 * @returns {History | null} null where they do not fit together: it is another broadcast, so ask for all of it
 */
export function joined(known, more) {
  if (known === null) return more;
  if (more.first !== nextOf(known)) return null;
  const over = Math.max(0, known.viewers.length + more.viewers.length - SAMPLES_MAX);
  const whole = { ...more, first: known.first + over };
  for (const name of FIGURES) whole[name] = [...known[name], ...more[name]].slice(over);
  return whole;
}

/**
 * The newest figure, the least and the most, of those that are known.
 * @param {Series} series
 * @returns {{ now: number | null, least: number, most: number } | null} null when nothing is
 */
export function extent(series) {
  const known = series.filter((value) => value !== null);
  if (known.length === 0) return null;
  return { now: series.at(-1) ?? null, least: Math.min(...known), most: Math.max(...known) };
}

/**
 * The points of SVG polylines over the whole width, from nought at the bottom to the most at the top: one for each stretch
 * in which all is known. A stretch of one sample is a line of no length, which round ends make a dot.
 * @param {Series} series @param {{ width: number, height: number }} box
 * @returns {string[]}
 */
export function lines(series, { width, height }) {
  const most = Math.max(1, extent(series)?.most ?? 1);
  const step = width / Math.max(1, series.length - 1);
  /** @type {string[][]} */
  const stretches = [];
  series.forEach((value, index) => {
    if (value === null) return;
    if (index === 0 || series[index - 1] === null) stretches.push([]);
    stretches.at(-1)?.push(`${round(index * step)},${round(height - (value / most) * height)}`);
  });
  return stretches.map((points) => (points.length === 1 ? [...points, ...points] : points).join(" "));
}

/** @param {number} value */
const round = (value) => Math.round(value * 10) / 10;
