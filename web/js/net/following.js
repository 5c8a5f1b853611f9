/**
 * Shell: whom this member follows: asked once a page, then kept as the house has confirmed it.
 * @module
 */

import { follow, me, unfollow } from "./api.js";
import { identity } from "./identity.js";

/** Events: `change`. */
class Following extends EventTarget {
  /** Null until the house has answered. @type {ReadonlySet<string> | null} */
  names = null;

  constructor() {
    super();
    identity.addEventListener("change", () => void this.ask());
  }

  /** Ask the house. When it cannot be asked, nobody knows: nothing is shown as followed or not followed. */
  async ask() {
    const asker = identity.nickname;
    const names = asker === null ? [] : await me().then(({ following }) => following, () => null);
    if (asker === identity.nickname) this.#become(names === null ? null : new Set(names));
  }

  /**
   * @param {string} nickname
   * @param {boolean} wanted
   * @throws {import("../core/problem.js").Problem}
   */
  async set(nickname, wanted) {
    await (wanted ? follow(nickname) : unfollow(nickname));
    const names = new Set(this.names);
    if (wanted) names.add(nickname);
    else names.delete(nickname);
    this.#become(names);
  }

  /** @param {ReadonlySet<string> | null} names */
  #become(names) {
    this.names = names;
    this.dispatchEvent(new Event("change"));
  }
}

/** Of the one who looks at this page. */
export const following = new Following();
