/**
 * Shell: a hand that wants to see what is further up in a list, known before the list has moved.
 *
 * A list that follows its newest line is taken back to its end by each draw: a slow finger would never get away from it.
 * @module
 */

/** A finger that rests is not quite still, and browsers scroll only after about 15. */
const FINGER_PIXELS = 16;

/** @param {HTMLElement} list @param {() => void} act also called again while the hand goes on */
export function onPulledDown(list, act) {
  let fromY = 0;
  let lastY = 0;
  const pulled = () => list.scrollTop > 0 && act();
  /** @param {TouchEvent} event */
  const heightOf = ({ touches }) => touches[0]?.clientY ?? lastY;
  const passive = { passive: true };
  list.addEventListener("wheel", ({ deltaY, ctrlKey }) => deltaY < 0 && !ctrlKey && pulled(), passive); // With Ctrl it zooms.
  list.addEventListener("touchstart", (event) => (fromY = lastY = heightOf(event)), passive);
  list.addEventListener(
    "touchmove",
    (event) => {
      const y = heightOf(event);
      if (y < lastY) fromY = y; // It turned round.
      lastY = y;
      if (y - fromY > FINGER_PIXELS) pulled();
    },
    passive,
  );
}
