// The light build: no alternate audio, subtitles, DRM or CMCD. We mux audio and video in one rendition, so nothing is missed.
export { default as Hls } from "hls.js/light";
