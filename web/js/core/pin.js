/**
 * Core: does the reader follow the newest line, or read further up?
 * @module
 */

/** A line and a bit: a finger is not exact, and a zoomed page rounds. */
export const PIN_SLACK_PIXELS = 48;

/** @param {{ scrollTop: number, clientHeight: number, scrollHeight: number }} box */
export function isPinned({ scrollTop, clientHeight, scrollHeight }) {
  return scrollHeight - clientHeight - scrollTop <= PIN_SLACK_PIXELS;
}
