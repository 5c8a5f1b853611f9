/**
 * Roof: one's points; a guest is sent to log in and comes back, with the order that the address names.
 * @module
 */

import { logInPath } from "../core/next_path.js";
import "../elements/site_header.js";
import { WalletDesk } from "../elements/wallet_desk.js";
import { identity } from "../net/identity.js";
import { fill, t } from "../net/words.js";

fill(document);
document.title = t("page_title", { page: t("nav.wallet") });

// A house that cannot be asked for a token is told by the desk itself.
await identity.token().catch(() => null);
identity.bind();
if (identity.nickname === null) location.replace(logInPath(`/wallet${location.search}`));
else document.querySelector("#desk")?.append(new WalletDesk());
