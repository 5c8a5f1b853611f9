/**
 * Shell: what a page with a player may need later, fetched once the picture has had the line for itself.
 * routes/bundles.py names it in the page.
 * @module
 */

export function fetchLater() {
  for (const link of document.querySelectorAll("link[rel=later]")) link.setAttribute("rel", "prefetch");
}
