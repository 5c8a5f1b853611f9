/**
 * Roof: the streamer's desk, with the chat beside it; a guest is sent to log in and comes back.
 * @module
 */

import { logInPath } from "../core/next_path.js";
import { ChatRoom } from "../elements/chat_room.js";
import { GoalForm } from "../elements/goal_form.js";
import { ModerationLog } from "../elements/moderation_log.js";
import { ReceivedDonations } from "../elements/received_donations.js";
import "../elements/site_header.js";
import { StudioDesk } from "../elements/studio_desk.js";
import { StudioSettings } from "../elements/studio_settings.js";
import { identity } from "../net/identity.js";
import { setting } from "../net/settings.js";
import { Wire } from "../net/wire.js";
import { fill, t } from "../net/words.js";

fill(document);
document.title = t("page_title", { page: t("nav.studio") });

// A house that cannot be asked for a token is told by the desk itself.
await identity.token().catch(() => null);
identity.bind();
if (identity.nickname === null) {
  location.replace(logInPath("/studio"));
} else {
  const desk = new StudioDesk();
  desk.nickname = identity.nickname;
  desk.server = setting("commeow-rtmp");
  const settings = new StudioSettings();
  settings.nickname = identity.nickname;
  desk.addEventListener("channel", (event) => {
    settings.channel = /** @type {CustomEvent<import("../net/api.js").Channel>} */ (event).detail;
  });
  document.querySelector("#desk")?.append(desk);
  document.querySelector("#settings")?.append(settings);
  await converse(identity.nickname);
}

/** The streamer reads along, and is told of what is given as it is given. @param {string} nickname */
async function converse(nickname) {
  const wire = new Wire(setting("commeow-rsocket"), (how) => identity.token(how));
  const room = new ChatRoom();
  const log = new ModerationLog();
  log.channel = nickname;
  log.wire = wire;
  document.querySelector("#settings")?.append(log);
  document.querySelector("aside")?.append(room);
  room.addEventListener("room-news", (event) => {
    const { kind } = /** @type {CustomEvent<{ kind: string }>} */ (event).detail;
    const given = document.querySelector("received-donations");
    if (kind === "donated" && given instanceof ReceivedDonations) void given.refresh();
    const goal = document.querySelector("goal-form");
    if (kind === "donated" && goal instanceof GoalForm) void goal.refresh();
    if (kind === "removed" || kind === "muted" || kind === "unmuted") void log.refresh();
  });
  await room.enter(wire, nickname);
  wire.start();
}
