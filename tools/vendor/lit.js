// What our elements use of Lit, and nothing more: the bundle is this list. web/jsconfig.json reads the types from here.
export { LitElement, html, nothing, svg } from "lit";
export { classMap } from "lit/directives/class-map.js";
export { live } from "lit/directives/live.js";
export { createRef, ref } from "lit/directives/ref.js";
export { repeat } from "lit/directives/repeat.js";
