/**
 * Shell: one stream of server-sent events from the house. Not EventSource, which cannot say who asks.
 * @module
 */

import { feed } from "../core/event_stream.js";

/** The house says something every ten seconds; a line that is silent for longer has broken unheard. */
const SILENCE_MS_MAX = 25_000;

/**
 * Read a stream to its end.
 * @param {string} path
 * @param {{ token: string | null, onData: (data: any) => void, signal: AbortSignal }} how
 * @returns {Promise<boolean>} whether it ended as streams do; false: it was refused or it broke
 */
export async function readEvents(path, { token, onData, signal }) {
  const broken = new AbortController();
  const stop = AbortSignal.any([signal, broken.signal]);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let silence;
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(() => broken.abort(), SILENCE_MS_MAX);
  };
  try {
    heard();
    const headers = { Accept: "text/event-stream", ...(token === null ? {} : { Authorization: `Bearer ${token}` }) };
    const answer = await fetch(path, { headers, cache: "no-store", credentials: "same-origin", signal: stop });
    if (!answer.ok || answer.body === null) return false;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ; ) {
      const { done, value } = await reader.read();
      if (done) return true;
      heard();
      const taken = feed(rest, value);
      rest = taken.rest;
      for (const data of taken.data) onData(JSON.parse(data));
    }
  } catch {
    return false;
  } finally {
    clearTimeout(silence);
    broken.abort();
  }
}
