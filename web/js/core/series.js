/**
 * Core: a figure over time, and the line it draws.
 * @module
 */

/** Ten minutes, a sample each two seconds: what a streamer has changed lately is still to be seen. */
export const SAMPLES_MAX = 300;

/** @param {readonly number[]} series oldest first @param {number} value @returns {number[]} */
export function added(series, value) {
  return [...series, value].slice(-SAMPLES_MAX);
}

/**
 * The points of an SVG polyline over the whole width, from nought at the bottom to the most at the top.
 * @param {readonly number[]} series @param {{ width: number, height: number }} box
 */
export function points(series, { width, height }) {
  const most = Math.max(1, ...series);
  const step = width / Math.max(1, series.length - 1);
  return series.map((value, index) => `${round(index * step)},${round(height - (value / most) * height)}`).join(" ");
}

/** @param {number} value */
const round = (value) => Math.round(value * 10) / 10;
