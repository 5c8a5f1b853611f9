/**
 * Door: what our elements have in common: they draw into the page itself, where the stylesheets are, and they lose nobody's
 * place: who works by keyboard, or hears the page read, is where the focus is.
 *
 * One stylesheet a component lives in css/ and is linked by the page: nothing waits for script to be styled, labels
 * reach their fields, and the Content Security Policy needs no exception for styles.
 *
 * What has to wait is `aria-disabled`, never `disabled`, which drops the focus: here it is kept from being pressed.
 * @module
 */

import { LitElement } from "/js/vendor/lit.js";

const HEAD = ":is(h1, h2, h3):not(dialog:not([open]) *)";
/** Where one goes on when what had the focus is gone, best first: in the dialog that is open, if there is one. */
const PLACES = Object.freeze(["dialog[open] [autofocus]", `dialog[open] ${HEAD}`, HEAD]);

export class LightElement extends LitElement {
  constructor() {
    super();
    this.addEventListener("click", stopIfDisabled, { capture: true });
    // A dialog gives the focus back to the button that opened it, which may be gone by then.
    this.addEventListener("close", ({ target }) => takePlace(target instanceof Element ? target.parentElement : null), { capture: true });
  }

  createRenderRoot() {
    return this;
  }

  /** @param {import("lit").PropertyValues} changed */
  update(changed) {
    const held = this.contains(document.activeElement);
    super.update(changed);
    if (held) takePlace(this);
  }

  /** Tell the page. @param {string} name @param {unknown} [detail] */
  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
  }
}

/** @param {Element | null} near what is gone */
function takePlace(near) {
  const { activeElement: now } = document;
  // Gone, or in the dialog that has just closed and is left at the next draw.
  if (now !== document.body && now?.closest("dialog:not([open])") === null) return;
  for (let within = near; within !== null; within = within.parentElement) {
    for (const place of PLACES.flatMap((one) => [...within.querySelectorAll(one)])) {
      if (!(place instanceof HTMLElement)) continue;
      if (place.matches(HEAD)) place.tabIndex = -1;
      place.focus({ preventScroll: true });
      if (document.activeElement === place) return; // What is not shown takes no focus.
    }
  }
}

/** Also when Enter in a field would press it. @param {MouseEvent} event */
function stopIfDisabled(event) {
  if (!(event.target instanceof Element) || event.target.closest('[aria-disabled="true"]') === null) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}
