/**
 * Shell: a file of the member's own, which a plain link could not ask for: the token must go along.
 * @module
 */

import { Problem, problemFrom } from "../core/problem.js";
import { identity } from "./identity.js";

/** Longer than the browser needs to begin writing the file. */
const KEPT_MS = 60_000;

/**
 * Ask for a file and hand it to the reader as the browser hands over any download.
 * @param {string} path
 * @param {string} name of the file
 * @throws {Problem}
 */
export async function download(path, name) {
  const token = await identity.token();
  let answer;
  try {
    answer = await fetch(path, { headers: { Authorization: `Bearer ${token}` }, cache: "no-store" });
  } catch {
    throw new Problem("wire.unreachable");
  }
  if (!answer.ok) throw problemFrom(await answer.json().catch(() => null), "internal", { status: answer.status });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS);
}
