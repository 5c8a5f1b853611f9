// Bundles what the browser gets: `node tools/bundle.mjs OUT_FOLDER`, run by tools/build_web.py.
// Each library is one module under /js/vendor/, for pages that are served as they are written (tools/site.mjs says when
// they are not). The licence of every package that went in goes along.
import { copyFile, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { bundleSite, LIBRARIES } from "./site.mjs";

const out = process.argv[2];
await build({
  entryPoints: LIBRARIES,
  bundle: true,
  format: "esm",
  minify: true,
  target: "es2022",
  legalComments: "linked",
  outdir: out,
});

const { files, manifest, inputs } = await bundleSite(process.cwd());
await mkdir(join(out, "built"), { recursive: true });
for (const [name, contents] of files) await writeFile(join(out, "built", name), contents);
await writeFile(join(out, "built.json"), JSON.stringify(manifest));

const packages = new Set();
for (const path of inputs) {
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
