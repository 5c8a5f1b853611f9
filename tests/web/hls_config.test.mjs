import assert from "node:assert/strict";
import { test } from "node:test";
import { HLS_CONFIG, isAtLive, levelName, LIVE_SLACK_SECONDS, tracksOf } from "../../web/js/core/hls_config.js";

test("the server sets the target, and a rewound viewer is left where he is", () => {
  assert.equal(HLS_CONFIG.lowLatencyMode, true);
  assert.equal("liveMaxLatencyDuration" in HLS_CONFIG, false);
  assert.equal("liveSyncDuration" in HLS_CONFIG, false);
});

test("live up to the slack behind the target", () => {
  assert.equal(isAtLive(1 + LIVE_SLACK_SECONDS, 1), true);
  assert.equal(isAtLive(1.01 + LIVE_SLACK_SECONDS, 1), false);
  assert.equal(isAtLive(1, null), true);
});

test("a rendition is named by what viewers know", () => {
  assert.equal(levelName({ height: 720, frameRate: 60 }), "720p60");
  assert.equal(levelName({ height: 720, frameRate: 30 }), "720p");
  assert.equal(levelName({ bitrate: 1_234_567 }), "1235k");
  assert.equal(levelName({}), "");
});

test("sound alone and a picture with sound are different tracks, whatever else is told of them", () => {
  assert.equal(tracksOf({ audio: {} }), "audio");
  assert.equal(tracksOf({ tracks: { audio: {} }, audiovideo: {} }), "audiovideo");
  assert.equal(tracksOf({ video: {}, audio: {} }), "audio+video");
  assert.equal(tracksOf({}), "");
});
