// rsocket-js reads a global `Buffer`: esbuild injects this one wherever the name appears.
export { Buffer } from "buffer/";
