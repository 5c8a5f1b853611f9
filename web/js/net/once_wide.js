/**
 * Shell: what only a wide page has room for is fetched by wide pages only, and when they have drawn what one came for.
 * @module
 */

/** As css/channel_rail.css has it. */
const WIDE = "(min-width: 64rem)";

/**
 * @param {() => Promise<unknown>} load called once
 * @param {() => void} missed where it could not be had: the page does without
 */
export function onceWide(load, missed) {
  const wide = matchMedia(WIDE);
  const look = () => {
    if (!wide.matches) return;
    wide.removeEventListener("change", look);
    const begin = () => void load().catch(missed);
    if (document.readyState === "complete") begin();
    else addEventListener("load", begin, { once: true });
  };
  wide.addEventListener("change", look);
  look();
}
