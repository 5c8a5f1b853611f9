/**
 * Shell: ids made before anything is sent.
 * @module
 */

import { uuidFrom } from "../core/uuid.js";

/** @returns {string} */
export function newId() {
  return uuidFrom(crypto.getRandomValues(new Uint8Array(16)));
}
