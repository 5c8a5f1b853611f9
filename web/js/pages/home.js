/**
 * Roof: the home page: who is on air.
 * @module
 */

import "../elements/live_now.js";
import "../elements/site_header.js";
import { onceWide } from "../net/once_wide.js";
import { fill, t } from "../net/words.js";

fill(document);
document.title = t("home.page_title");
onceWide(() => import("../elements/channel_rail.js"), () => document.querySelector("channel-rail")?.remove()); // Its place goes with it.
