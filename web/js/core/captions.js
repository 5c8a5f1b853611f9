/**
 * Core: which of a video's text tracks are for reading along, and which one to show.
 *
 * hls.js light reads no subtitles: a track is there where the page brings one, or where the browser plays the list itself.
 * @module
 */

/** @typedef {Pick<TextTrack, "kind" | "language" | "mode">} Track */

/**
 * @template {Track} T
 * @param {ArrayLike<T>} all
 * @param {string} language of the reader
 * @returns {{ tracks: T[], shown: T | null, best: T | null }} `best`: in the reader's language, else the first
 */
export function captionsOf(all, language) {
  const tracks = Array.from(all).filter(({ kind }) => kind === "captions" || kind === "subtitles");
  const own = tracks.find((track) => track.language.split("-")[0] === language);
  return { tracks, shown: tracks.find(({ mode }) => mode === "showing") ?? null, best: own ?? tracks[0] ?? null };
}
