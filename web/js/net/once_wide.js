/**
 * Shell: what only a wide page has room for is fetched by wide pages only, and when they have drawn what one came for.
 * @module
 */

/** As css/channel_rail.css has it. */
const WIDE = "(min-width: 64rem)";

/** @param {() => unknown} load called once */
export function onceWide(load) {
  const wide = matchMedia(WIDE);
  const look = () => {
    if (!wide.matches) return;
    wide.removeEventListener("change", look);
    if (document.readyState === "complete") load();
    else addEventListener("load", load, { once: true });
  };
  wide.addEventListener("change", look);
  look();
}
