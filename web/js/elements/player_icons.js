/**
 * Door: the pictures on the player's buttons. Apart, because only a page with a player needs them.
 * @module
 */

import { svg } from "/js/vendor/lit.js";
import { icon } from "./icons.js";

export const play = icon(svg`<path d="M8 5.5v13l10.5-6.5z" fill="currentColor"/>`);
export const pause = icon(svg`<path d="M8.5 5.5v13M15.5 5.5v13" stroke-width="3"/>`);
export const sound = icon(svg`<path d="M4 9.5v5h3.5l4.5 4v-13l-4.5 4z" fill="currentColor"/><path d="M15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11"/>`);
export const silent = icon(svg`<path d="M4 9.5v5h3.5l4.5 4v-13l-4.5 4z" fill="currentColor"/><path d="m16 9.5 5 5m0-5-5 5"/>`);
export const whole = icon(svg`<path d="M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5"/>`);
export const small = icon(svg`<path d="M9 4v5H4M15 4v5h5M9 20v-5H4M15 20v-5h5"/>`);
export const window = icon(svg`<path d="M20.500 11V6.500a1.500 1.500 0 0 0-1.500-1.500H5a1.500 1.500 0 0 0-1.500 1.500v11A1.500 1.500 0 0 0 5 19h5"/><rect x="13" y="13.500" width="8" height="6" rx="1" fill="currentColor"/>`);
export const theatre = icon(svg`<rect x="3" y="5" width="18" height="14" rx="1.500"/><path d="M15.500 5v14"/>`);
export const captions = icon(svg`<rect x="3" y="5" width="18" height="14" rx="2"/><path d="M10.500 10.500a2 2 0 1 0 0 3M17 10.500a2 2 0 1 0 0 3"/>`);
export const keys = icon(svg`<rect x="2.500" y="6" width="19" height="12" rx="2"/><path d="M6.500 10h.01M10 10h.01M13.500 10h.01M17 10h.01M8 14h8"/>`);
export const back = icon(svg`<path d="M4 12a8 8 0 1 0 2.600-5.900L4 8.500M4 4v4.500h4.500"/>`);
