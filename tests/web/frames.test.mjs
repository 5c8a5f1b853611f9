// Our frames beside those of rsocket-js: what we write it reads, what it writes we read.
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeCompositeMetadata, encodeBearerAuthMetadata, encodeCompositeMetadata, encodeRoute, WellKnownMimeType } from "rsocket-composite-metadata";
import { deserializeFrame, Flags, FrameTypes, serializeFrame } from "rsocket-core";
import * as frames from "../../web/js/core/frames.js";

const theirs = (bytes) => deserializeFrame(Buffer.from(bytes));
const ours = (frame) => {
  const bytes = serializeFrame(frame);
  return frames.read(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
};
const routing = (route) => encodeCompositeMetadata([[WellKnownMimeType.MESSAGE_RSOCKET_ROUTING, encodeRoute(route)]]);
const text = (data) => Buffer.from(data).toString();

test("SETUP of a member", () => {
  const setup = theirs(frames.setup({ keepAliveMs: 20_000, lifetimeMs: 120_000, token: "a.b.c" }));
  const metadata = encodeCompositeMetadata([[WellKnownMimeType.MESSAGE_RSOCKET_AUTHENTICATION, encodeBearerAuthMetadata("a.b.c")]]);
  const { type, streamId, majorVersion, minorVersion, keepAlive, lifetime, dataMimeType, metadataMimeType } = setup;

  assert.deepEqual([type, streamId, majorVersion, minorVersion, keepAlive, lifetime], [FrameTypes.SETUP, 0, 1, 0, 20_000, 120_000]);
  assert.deepEqual([dataMimeType, metadataMimeType], ["application/json", "message/x.rsocket.composite-metadata.v0"]);
  assert.deepEqual(setup.metadata, metadata);
});

test("SETUP of a guest has no metadata, and says so", () => {
  const setup = theirs(frames.setup({ keepAliveMs: 1, lifetimeMs: 2, token: null }));
  assert.equal(setup.flags & Flags.METADATA, 0);
  assert.equal(setup.metadata?.length ?? 0, 0);
});

for (const [type, theirType, credit] of [
  [frames.REQUEST_RESPONSE, FrameTypes.REQUEST_RESPONSE, undefined],
  [frames.REQUEST_FNF, FrameTypes.REQUEST_FNF, undefined],
  [frames.REQUEST_STREAM, FrameTypes.REQUEST_STREAM, 150],
]) {
  test(`a request of type ${type}`, () => {
    const frame = theirs(frames.request(7, type, "chat.watch", '{"channel":"고양이"}', credit));
    assert.deepEqual([frame.type, frame.streamId, frame.requestN], [theirType, 7, credit]);
    assert.equal(text(frame.data), '{"channel":"고양이"}');
    assert.deepEqual(frame.metadata, routing("chat.watch"));
    const [entry] = decodeCompositeMetadata(frame.metadata);
    assert.equal(entry.mimeType, WellKnownMimeType.MESSAGE_RSOCKET_ROUTING.string);
  });
}

test("REQUEST_N, CANCEL, KEEPALIVE", () => {
  assert.deepEqual([theirs(frames.requestN(2 ** 31 - 1, 12)).streamId, theirs(frames.requestN(1, 12)).requestN], [2 ** 31 - 1, 12]);
  assert.deepEqual([theirs(frames.cancel(3)).type, theirs(frames.cancel(3)).streamId], [FrameTypes.CANCEL, 3]);
  const asking = theirs(frames.keepAlive(true));
  assert.deepEqual([asking.type, asking.flags & Flags.RESPOND, asking.streamId], [FrameTypes.KEEPALIVE, Flags.RESPOND, 0]);
  const answering = theirs(frames.keepAlive(false, new TextEncoder().encode("beat")));
  assert.deepEqual([answering.flags & Flags.RESPOND, text(answering.data)], [0, "beat"]);
});

for (const metadata of [undefined, Buffer.from("m".repeat(70_000))]) {
  test(`PAYLOAD with ${metadata?.length ?? "no"} bytes of metadata`, () => {
    const flags = Flags.NEXT | Flags.COMPLETE | (metadata === undefined ? 0 : Flags.METADATA);
    const frame = ours({ type: FrameTypes.PAYLOAD, streamId: 9, flags, data: Buffer.from('{"seq":1}'), metadata });
    assert.deepEqual([frame.type, frame.streamId, frame.flags], [frames.PAYLOAD, 9, flags]);
    assert.deepEqual(frames.json(frame.data), { seq: 1 });
  });
}

test("ERROR of a stream and of the connection", () => {
  const frame = ours({ type: FrameTypes.ERROR, streamId: 5, flags: 0, code: 0x202, message: '{"code":"limit.busy"}' });
  assert.deepEqual([frame.type, frame.streamId, frame.code, frames.json(frame.data)], [frames.ERROR, 5, 0x202, { code: "limit.busy" }]);
  assert.equal(ours({ type: FrameTypes.ERROR, streamId: 0, flags: 0, code: 3, message: "x" }).code, 3);
});

test("KEEPALIVE that asks", () => {
  const frame = ours({ type: FrameTypes.KEEPALIVE, streamId: 0, flags: Flags.RESPOND, lastReceivedPosition: 0, data: Buffer.from("beat") });
  assert.deepEqual([frame.type, frame.flags & frames.RESPOND, text(frame.data)], [frames.KEEPALIVE, frames.RESPOND, "beat"]);
});

test("what is cut off anywhere in its head is a RangeError and nothing else", () => {
  for (const frame of [
    { type: FrameTypes.PAYLOAD, streamId: 9, flags: Flags.NEXT | Flags.METADATA, data: Buffer.alloc(0), metadata: Buffer.from("meta") },
    { type: FrameTypes.ERROR, streamId: 5, flags: 0, code: 0x202, message: "" },
    { type: FrameTypes.KEEPALIVE, streamId: 0, flags: 0, lastReceivedPosition: 0, data: Buffer.alloc(0) },
  ]) {
    const whole = serializeFrame(frame);
    for (let length = 0; length < whole.length; length += 1) {
      assert.throws(() => frames.read(new Uint8Array(whole.subarray(0, length)).buffer), RangeError);
    }
  }
});

test("whatever bytes come: a frame or a RangeError", () => {
  let state = 1;
  const byte = () => (state = (state * 48_271) % 2_147_483_647) & 0xff;
  for (let round = 0; round < 5_000; round += 1) {
    const bytes = Uint8Array.from({ length: round % 24 }, byte);
    try {
      assert.ok(frames.read(bytes.buffer).data.length <= bytes.length);
    } catch (error) {
      assert.ok(error instanceof RangeError, String(error));
    }
  }
});

test("data that is not JSON is null", () => {
  assert.equal(frames.json(new TextEncoder().encode("{")), null);
  assert.equal(frames.json(new Uint8Array()), null);
});
