import assert from "node:assert/strict";
import { test } from "node:test";
import { codecName, encoderName, kilobits } from "../../web/js/core/stream_health.js";

test("encoders are called by the names that people know", () => {
  assert.equal(encoderName("obs-output module (libobs version 31.0.0)"), "OBS");
  assert.equal(encoderName("Lavf62.3.100"), "ffmpeg");
  assert.equal(encoderName("GStreamer FLV muxer"), "GStreamer");
  assert.equal(encoderName("something of my own"), null);
  assert.equal(encoderName(null), null);
});

test("codecs are called by the names that people know, others by their own", () => {
  const names = ["avc1.64001F", "hvc1.1.6.L93.B0", "av01.0.04M.08", "mp4a.40.2", "opus", "vp09.00"].map(codecName);
  assert.deepEqual(names, ["H.264", "HEVC", "AV1", "AAC", "Opus", "vp09.00"]);
});

test("the bitrate is that of all tracks", () => {
  const sound = { codec: "mp4a.40.2", rate: 48000, channels: 2, kilobits_a_second: 160, drift_ms: null };
  const off = { state: "live", seconds: 1, encoder: null, connections: 1, speed: null, gaps: null, renditions: [], verdicts: [] };
  assert.equal(kilobits({ ...off, picture: null, sound }), 160);
  assert.equal(kilobits({ ...off, picture: null, sound: null }), 0);
});
