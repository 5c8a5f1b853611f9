/**
 * Shell: what the server wrote into this page: where the other doors are.
 * @module
 */

/** @param {"commeow-rsocket" | "commeow-rtmp" | "commeow-channel" | "commeow-now" | "commeow-speaks"} name @returns {string} */
export function setting(name) {
  return document.querySelector(`meta[name="${name}"]`)?.getAttribute("content") ?? "";
}
