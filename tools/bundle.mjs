// Bundles what the browser cannot load as it is published: `node tools/bundle.mjs OUT_FOLDER`, run by tools/build_web.py.
// One entry is one module under /js/vendor/. The licence of every package that went in goes along.
import { copyFile, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

const out = process.argv[2];
const { metafile } = await build({
  entryPoints: { hls: "tools/vendor/hls.js", lit: "tools/vendor/lit.js" },
  bundle: true,
  format: "esm",
  minify: true,
  target: "es2022", // OBS's browser is Chrome 127.
  legalComments: "linked",
  metafile: true,
  outdir: out,
});

const packages = new Set();
for (const path of Object.keys(metafile.inputs)) {
  const found = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path);
  if (found) packages.add(found[1]);
}
await mkdir(join(out, "licences"), { recursive: true });
for (const name of packages) {
  const folder = join("node_modules", name);
  const licence = (await readdir(folder)).find((file) => /^licen[cs]e/i.test(file));
  if (!licence) throw new Error(`${name} has no licence file: it may not be shipped`);
  await copyFile(join(folder, licence), join(out, "licences", `${name.replace("/", "+")}.txt`));
}
