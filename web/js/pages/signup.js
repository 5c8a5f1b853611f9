/**
 * Roof: the page to become a member.
 * @module
 */

import "../elements/sign_up_form.js";
import "../elements/site_header.js";
import { goOnAsMember } from "../net/identity.js";
import { fill, t } from "../net/words.js";

fill(document);
document.title = t("page_title", { page: t("nav.sign_up") });
void goOnAsMember();
