/**
 * Core: the frames of RSocket 1.0 that a browser sends and receives, as bytes.
 *
 * One frame is one WebSocket message, so there is no length in front of it. Whoever reads a frame that is none gets a
 * RangeError and closes the connection.
 * @module
 */

/** Frame types (Protocol.md, Framing). */
export const SETUP = 0x01;
export const KEEPALIVE = 0x03;
export const REQUEST_RESPONSE = 0x04;
export const REQUEST_FNF = 0x05;
export const REQUEST_STREAM = 0x06;
export const REQUEST_N = 0x08;
export const CANCEL = 0x09;
export const PAYLOAD = 0x0a;
export const ERROR = 0x0b;

const TYPE_SHIFT = 10;
const FLAGS = 0x3ff;
export const METADATA = 0x100;
/** Of KEEPALIVE: answer it. Of a payload or request: more fragments follow. */
export const RESPOND = 0x80;
export const FOLLOWS = 0x80;
export const COMPLETE = 0x40;
export const NEXT = 0x20;

/** Stream id, type and flags. */
const HEAD_BYTES = 6;
const VERSION_MAJOR = 1;
const METADATA_TYPE = "message/x.rsocket.composite-metadata.v0";
const DATA_TYPE = "application/json";
/** Well-known types of composite metadata, as one byte with the top bit set. */
const ROUTING = 0x80 | 0x7e;
const AUTHENTICATION = 0x80 | 0x7c;
const BEARER = 0x80 | 0x01;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * @param {{ keepAliveMs: number, lifetimeMs: number, token: string | null }} terms token null: as a guest
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function setup({ keepAliveMs, lifetimeMs, token }) {
  const types = [METADATA_TYPE, DATA_TYPE].flatMap((name) => [[name.length], encoder.encode(name)]);
  const metadata = token === null ? null : entry(AUTHENTICATION, [[BEARER], encoder.encode(token)]);
  const terms = [uint16(VERSION_MAJOR), uint16(0), uint32(keepAliveMs), uint32(lifetimeMs), ...types];
  return frame(0, SETUP, metadata === null ? 0 : METADATA, [...terms, ...withLength(metadata)]);
}

/**
 * @param {number} streamId
 * @param {number} type REQUEST_RESPONSE, REQUEST_FNF or REQUEST_STREAM
 * @param {string} route
 * @param {string} data
 * @param {number} [credit] of a stream
 */
export function request(streamId, type, route, data, credit) {
  const name = encoder.encode(route);
  const metadata = entry(ROUTING, [[name.length], name]);
  const asked = credit === undefined ? [] : [uint32(credit)];
  return frame(streamId, type, METADATA, [...asked, ...withLength(metadata), encoder.encode(data)]);
}

/** @param {number} streamId @param {number} credit more events that may come */
export function requestN(streamId, credit) {
  return frame(streamId, REQUEST_N, 0, [uint32(credit)]);
}

/** @param {number} streamId */
export function cancel(streamId) {
  return frame(streamId, CANCEL, 0, []);
}

/** @param {boolean} respond the other side shall answer @param {Uint8Array} [data] of the one that is answered */
export function keepAlive(respond, data = new Uint8Array()) {
  // Eight bytes of a position that only resumption needs.
  return frame(0, KEEPALIVE, respond ? RESPOND : 0, [uint32(0), uint32(0), data]);
}

/**
 * @typedef {object} Frame
 * @property {number} streamId
 * @property {number} type
 * @property {number} flags
 * @property {number} code of an ERROR
 * @property {Uint8Array} data what is left after the metadata
 */

/** @param {ArrayBuffer} bytes @returns {Frame} @throws {RangeError} */
export function read(bytes) {
  const view = new DataView(bytes);
  const streamId = view.getUint32(0);
  const head = view.getUint16(4);
  const type = head >> TYPE_SHIFT;
  const flags = head & FLAGS;
  let at = HEAD_BYTES;
  let code = 0;
  if (type === ERROR) {
    code = view.getUint32(at);
    at += 4;
  } else if (type === KEEPALIVE) {
    at += 8;
  } else if (type === PAYLOAD && (flags & METADATA) !== 0) {
    at += 3 + ((view.getUint8(at) << 16) | view.getUint16(at + 1));
  }
  if (at > bytes.byteLength) throw new RangeError(`a frame of ${bytes.byteLength} bytes, its data at ${at}`);
  return { streamId, type, flags, code, data: new Uint8Array(bytes, at) };
}

/** @param {Uint8Array} data @returns {any} null for what is not JSON */
export function json(data) {
  try {
    return JSON.parse(decoder.decode(data));
  } catch {
    return null;
  }
}

/** @typedef {Uint8Array | number[]} Part */

/** @param {number} streamId @param {number} type @param {number} flags @param {Part[]} parts @returns {Uint8Array<ArrayBuffer>} */
function frame(streamId, type, flags, parts) {
  return joined([uint32(streamId), uint16((type << TYPE_SHIFT) | flags), ...parts]);
}

/** One entry of composite metadata: its type, the length of its content in three bytes, its content. @param {number} type @param {Part[]} parts */
function entry(type, parts) {
  const content = joined(parts);
  return joined([[type], uint24(content.length), content]);
}

/** @param {Uint8Array | null} metadata @returns {Part[]} */
function withLength(metadata) {
  return metadata === null ? [] : [uint24(metadata.length), metadata];
}

/** @param {Part[]} parts @returns {Uint8Array<ArrayBuffer>} */
export function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** @param {number} value @returns {Part} */
const uint16 = (value) => [(value >> 8) & 0xff, value & 0xff];
/** @param {number} value @returns {Part} */
const uint24 = (value) => [(value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff];
/** @param {number} value @returns {Part} */
const uint32 = (value) => [(value >> 24) & 0xff, (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff];
