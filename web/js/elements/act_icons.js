/**
 * Door: the pictures on buttons that do something and beside words that say something. Apart: the home page has none.
 * @module
 */

import { svg } from "/js/vendor/lit.js";
import { icon } from "./icons.js";

export const send = icon(svg`<path d="M4.5 12h14M12.5 6l6 6-6 6"/>`);
export const close = icon(svg`<path d="m6 6 12 12M18 6 6 18"/>`);
export const heart = icon(svg`<path d="M12 20S3.500 15.300 3.500 9.300C3.500 6.500 5.600 4.500 8 4.500c1.700 0 3.100.9 4 2.300.9-1.400 2.300-2.300 4-2.300 2.400 0 4.500 2 4.500 4.800C20.500 15.300 12 20 12 20z"/>`);
export const heartFull = icon(svg`<path fill="currentColor" d="M12 20S3.500 15.300 3.500 9.300C3.500 6.500 5.600 4.500 8 4.500c1.700 0 3.100.9 4 2.300.9-1.400 2.300-2.300 4-2.300 2.400 0 4.500 2 4.500 4.800C20.500 15.300 12 20 12 20z"/>`);
export const copy = icon(svg`<rect x="8.5" y="8.5" width="11" height="11" rx="2.5"/><path d="M15.5 5.5a2 2 0 0 0-2-1h-7a2 2 0 0 0-2 2v7a2 2 0 0 0 1 2"/>`);
export const share = icon(svg`<path d="M12 14.500V4M8 7.500 12 4l4 3.500M6 11.500v6.500a1.500 1.500 0 0 0 1.500 1.500h9a1.500 1.500 0 0 0 1.500-1.500v-6.500"/>`);
export const outside = icon(svg`<path d="M13 4.500h6.500V11M19.500 4.500 11 13M9 5.500H6.500a2 2 0 0 0-2 2v10a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V15"/>`);
export const done = icon(svg`<path d="m5 12.5 4.5 4.5L19 7.5"/>`);
export const hint = icon(svg`<circle cx="12" cy="12" r="8.5"/><path d="M12 11v5M12 8v.1"/>`);
export const warning = icon(svg`<path d="M12 4 3 19.5h18zM12 10v4.5M12 17v.1"/>`);
export const down = icon(svg`<path d="M12 5v14M6 13l6 6 6-6"/>`);
export const paw = icon(svg`<g fill="currentColor" stroke="none"><ellipse cx="6.2" cy="11" rx="1.9" ry="2.5"/><ellipse cx="10" cy="6.9" rx="1.9" ry="2.6"/><ellipse cx="14.6" cy="6.9" rx="1.9" ry="2.6"/><ellipse cx="18.2" cy="11" rx="1.9" ry="2.5"/><path d="M12.2 11.4c2.6 0 5.3 3.1 5.3 5.6 0 1.8-1.3 2.7-2.7 2.7-1.1 0-1.7-.6-2.6-.6s-1.5.6-2.6.6c-1.4 0-2.7-.9-2.7-2.7 0-2.5 2.7-5.6 5.3-5.6z"/></g>`);
export const shield = icon(svg`<path d="M12 3.500 5 6v5.500c0 4.500 3 7.500 7 9 4-1.500 7-4.500 7-9V6z"/><path d="m9 12 2.200 2.200L15.200 10"/>`);
export const pin = icon(svg`<path d="M9 4h6l-.8 6 3.300 3.500h-11L9.800 10zM12 13.500V20"/>`);
export const smile = icon(svg`<circle cx="12" cy="12" r="8.5"/><path d="M8.500 14c2 2.700 5 2.700 7 0M9 9.500v.1M15 9.500v.1"/>`);
