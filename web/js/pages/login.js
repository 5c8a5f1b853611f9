/**
 * Roof: the page to log in.
 * @module
 */

import "../elements/log_in_form.js";
import "../elements/site_header.js";
import { goOnAsMember } from "../net/identity.js";
import { fill, t } from "../net/words.js";

fill(document);
document.title = t("page_title", { page: t("nav.log_in") });
void goOnAsMember();
