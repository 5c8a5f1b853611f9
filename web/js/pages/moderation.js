/**
 * Roof: what was done to keep a channel's chat in order, for its owner and moderators; a guest is sent to log in and comes back.
 * @module
 */

import { logInPath } from "../core/next_path.js";
import { ModerationLog } from "../elements/moderation_log.js";
import "../elements/site_header.js";
import { identity } from "../net/identity.js";
import { setting } from "../net/settings.js";
import { Wire } from "../net/wire.js";
import { fill, t } from "../net/words.js";

const channel = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const title = t("moderation.page", { nickname: channel });

fill(document);
document.title = t("page_title", { page: title });
/** @type {HTMLElement} */ (document.querySelector("h1")).textContent = title;

// A house that cannot be asked for a token is told by the log itself.
await identity.token().catch(() => null);
identity.bind();
if (identity.nickname === null) {
  location.replace(logInPath(location.pathname));
} else {
  const log = new ModerationLog();
  log.channel = channel;
  log.wire = new Wire(setting("commeow-rsocket"), (how) => identity.token(how));
  log.wire.start();
  document.querySelector("#desk")?.append(log);
}
