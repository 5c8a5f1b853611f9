/**
 * Door: what our elements have in common: they draw into the page itself, where the stylesheets are.
 *
 * One stylesheet a component lives in css/ and is linked by the page: nothing waits for script to be styled, labels
 * reach their fields, and the Content Security Policy needs no exception for styles.
 * @module
 */

import { LitElement } from "/js/vendor/lit.js";

export class LightElement extends LitElement {
  createRenderRoot() {
    return this;
  }

  /** Tell the page. @param {string} name @param {unknown} [detail] */
  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
  }
}
