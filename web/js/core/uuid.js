/**
 * Core: sixteen random bytes as a UUID of version 4.
 *
 * `crypto.randomUUID` exists on https and localhost only; a house on a local network is neither.
 * @module
 */

/** @param {Uint8Array} bytes sixteen of them @returns {string} */
export function uuidFrom(bytes) {
  // RFC 9562 §5.4: four bits say the version, two the variant.
  const marked = bytes.slice(0, 16).map((byte, index) => {
    if (index === 6) return (byte & 0x0f) | 0x40;
    return index === 8 ? (byte & 0x3f) | 0x80 : byte;
  });
  const hex = Array.from(marked, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
