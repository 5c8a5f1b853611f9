/**
 * Door: the house's own pictures that every page has: a few icons, the mark, the cats. Inline SVG, drawn in the text's colour.
 * @module
 */

import { html, svg } from "/js/vendor/lit.js";
import { portrait } from "../core/portrait.js";

/** @param {unknown} inside */
export const icon = (inside) => html`
  <svg class="icon" viewBox="0 0 24 24" width="24" height="24" fill="none" stroke="currentColor" stroke-width="1.8"
    stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">${inside}</svg>`;

export const eye = icon(svg`<path d="M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12z"/><circle cx="12" cy="12" r="2.8"/>`);
export const search = icon(svg`<circle cx="10.8" cy="10.8" r="6.3"/><path d="m15.5 15.500 5 5"/>`);
export const language = icon(svg`<circle cx="12" cy="12" r="8.5"/><path d="M3.5 12h17M12 3.5c2.6 2.5 3.6 5.3 3.6 8.5s-1 6-3.6 8.5c-2.6-2.5-3.6-5.3-3.6-8.5s1-6 3.6-8.5z"/>`);

/** The house's mark: two ears and a play sign. */
export const mark = html`
  <svg class="mark" viewBox="0 0 32 32" width="32" height="32" aria-hidden="true" focusable="false">
    <path d="M5 5.2c0-1.3 1.5-2 2.5-1.1L12 8.2a14 14 0 0 1 8 0l4.5-4.1c1-.9 2.5-.2 2.5 1.1v12.6C27 24.5 22.1 29 16 29S5 24.5 5 17.8z" fill="var(--accent)"/>
    <path d="M13.2 13.6c0-.9 1-1.5 1.8-1l6 3.6c.8.5.8 1.6 0 2.1l-6 3.6c-.8.5-1.8-.1-1.8-1z" fill="var(--on-accent)"/>
  </svg>`;

/** A cat asleep: nobody is on air. */
export const sleepingCat = html`
  <svg class="scene" viewBox="0 0 240 120" width="240" height="120" aria-hidden="true" focusable="false" fill="none">
    <ellipse cx="118" cy="104" rx="96" ry="8" fill="var(--raised)"/>
    <path d="M40 92c-4-30 22-56 66-56 30 0 56 12 68 30 6 10 6 20-2 28-6 6-14 8-22 8H64c-14 0-22-2-24-10z" fill="var(--line-strong)"/>
    <path d="M46 70 44 44l20 14 20 0 18-14 0 26c2 18-12 30-28 30S44 88 46 70z" fill="var(--muted)"/>
    <path d="M56 76c3 4 8 4 11 0M80 76c3 4 8 4 11 0M72 86l2 2 2-2" stroke="var(--ground)" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round"/>
    <path d="M168 92c14 4 26-2 26-14 0-8-6-12-12-10" stroke="var(--line-strong)" stroke-width="13" stroke-linecap="round"/>
    <g stroke="var(--accent)" stroke-width="3" stroke-linecap="round" stroke-linejoin="round"><path d="M120 26h10l-10 12h10"/><path d="M142 8h13l-13 15h13"/></g>
  </svg>`;

/**
 * The face that belongs to a name.
 * @param {string} name
 * @param {{ wide?: boolean }} [how] `wide`: a 16:9 picture in place of a thumbnail; else a square one
 */
export function cat(name, { wide = false } = {}) {
  const { ground, glow, fur, mark: dark, eye: iris, marking } = portrait(name);
  const markings = {
    plain: svg``,
    tabby: svg`<path d="M50 31v9M41 32l2.4 7M59 32l-2.4 7" stroke=${dark} stroke-width="3.6" stroke-linecap="round"/>`,
    patch: svg`<path d="M54 29.3c3 .1 6 .6 9 1.6l11-9.600c2.4-2.1 6-.4 6 2.800V50c.5 2 1 4 1 6.5-11 5-24 1.5-27-9-1.6-5.6-1.4-12.5 0-18.200z" fill=${dark}/>`,
    mask: svg`<path d="M50 53c11 0 19 6.5 19 13 0 7.5-9 11-19 11s-19-3.5-19-11c0-6.5 8-13 19-13z" fill="#fff" opacity=".82"/>`,
  }[marking];
  const face = svg`
    <path d="M20 24.100c0-3.2 3.6-4.9 6-2.800l11 9.600a38 38 0 0 1 26 0l11-9.600c2.4-2.1 6-.4 6 2.800V50c.7 2.2 1 4.5 1 6.800C81 70 67 78 50 78S19 70 19 56.800c0-2.3.3-4.6 1-6.800z" fill=${fur}/>
    <path d="M26.5 30v12.500l9.5-7.300zM73.5 30v12.500L64 35.200z" fill=${dark} opacity=".75"/>
    ${markings}
    <ellipse cx="37" cy="53" rx="5" ry="5.8" fill=${iris}/><ellipse cx="63" cy="53" rx="5" ry="5.8" fill=${iris}/>
    <ellipse cx="37" cy="53" rx="1.9" ry="4.8" fill="#16110c"/><ellipse cx="63" cy="53" rx="1.9" ry="4.8" fill="#16110c"/>
    <circle cx="38.6" cy="50.6" r="1.3" fill="#fff"/><circle cx="64.6" cy="50.6" r="1.3" fill="#fff"/>
    <path d="M46.8 61h6.400L50 64.600z" fill="#b5625a"/>
    <path d="M50 64.600c0 3.2-5 4.7-7.5 2.300M50 64.600c0 3.2 5 4.7 7.5 2.3" stroke="#4a3a2e" stroke-width="1.9" stroke-linecap="round" fill="none"/>
    <path d="M28 62l-13-2M28 66l-12 2.500M72 62l13-2M72 66l12 2.5" stroke="#fff" stroke-opacity=".45" stroke-width="1.2" stroke-linecap="round"/>`;
  return wide
    ? html`<svg class="cat" viewBox="0 0 160 90" preserveAspectRatio="xMidYMid slice" aria-hidden="true" focusable="false">
        <rect width="160" height="90" fill=${ground}/><circle cx="80" cy="58" r="50" fill=${glow} opacity=".55"/>
        <svg x="38" y="14" width="84" height="84" viewBox="0 0 100 100">${face}</svg></svg>`
    : html`<svg class="cat" viewBox="0 0 100 100" aria-hidden="true" focusable="false">
        <rect width="100" height="100" fill=${ground}/><circle cx="50" cy="58" r="40" fill=${glow} opacity=".5"/>${face}</svg>`;
}
