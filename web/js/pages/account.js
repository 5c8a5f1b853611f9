/**
 * Roof: one's account; a guest is sent to log in and comes back.
 * @module
 */

import { logInPath } from "../core/next_path.js";
import { AccountDesk } from "../elements/account_desk.js";
import "../elements/site_header.js";
import { identity } from "../net/identity.js";
import { fill, t } from "../net/words.js";

fill(document);
document.title = t("page_title", { page: t("nav.account") });

// A house that cannot be asked for a token is told by the desk itself.
await identity.token().catch(() => null);
identity.bind();
if (identity.nickname === null) location.replace(logInPath("/account"));
else document.querySelector("#desk")?.append(new AccountDesk());
