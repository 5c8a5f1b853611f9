/**
 * Roof: the streamer's desk; a guest is sent to log in and comes back.
 * @module
 */

import { logInPath } from "../core/next_path.js";
import "../elements/site_header.js";
import { StudioDesk } from "../elements/studio_desk.js";
import { identity } from "../net/identity.js";
import { setting } from "../net/settings.js";
import { fill, t } from "../net/words.js";

fill(document);
document.title = t("page_title", { page: t("nav.studio") });

// A house that cannot be asked for a token is told by the desk itself.
await identity.token().catch(() => null);
if (identity.nickname === null) {
  location.replace(logInPath("/studio"));
} else {
  const desk = new StudioDesk();
  desk.nickname = identity.nickname;
  desk.server = setting("commeow-rtmp");
  document.querySelector("#desk")?.append(desk);
}
