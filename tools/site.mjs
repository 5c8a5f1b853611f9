// Bundles each page's own scripts and styles: what web/ has in a hundred readable files is sent as a dozen.
//
// A page's graph becomes one module, a chunk for each thing it loads later, and what those share; comments and blanks are
// gone, names stay. Every file is named by its content, so that a browser may keep it for ever. routes/bundles.py puts them
// in the place of the sources, as long as the sources are those that the bundle was made of.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { build } from "esbuild";

export const LIBRARIES = { hls: "tools/vendor/hls.js", lit: "tools/vendor/lit.js" };
const BUILT = "/built/";
const TARGET = "es2022"; // OBS's browser is Chrome 127.
// Overlays load the one thing that they show, and OBS keeps them open: nothing to fetch ahead.
const LATER_UNASKED = new Set(["overlay.html"]);

const ours = { bundle: true, format: "esm", target: TARGET, minifyWhitespace: true, minifySyntax: true, legalComments: "none" };
const kept = { write: false, metafile: true, outdir: "/out", entryNames: "[name]-[hash]", logLevel: "warning" };

/**
 * @typedef {object} Site
 * @property {Map<string, Uint8Array>} files by their names under /built/
 * @property {object} manifest what routes/bundles.py reads
 * @property {string[]} inputs every file that went in, from the root
 */

/** @param {string} root of the checkout @returns {Promise<Site>} */
export async function bundleSite(root) {
  const site = { files: new Map(), manifest: { pages: {}, sources: {} }, inputs: [] };
  const libraries = await bundleLibraries(root, site);
  for (const page of readdirSync(join(root, "web")).filter((name) => name.endsWith(".html")).sort()) {
    site.manifest.pages[page] = await bundlePage(root, page, libraries, site);
  }
  return site;
}

/** The libraries apart, with their names shortened: no page needs more than one of them at its start. */
async function bundleLibraries(root, site) {
  const made = await build({
    ...kept,
    absWorkingDir: root,
    entryPoints: LIBRARIES,
    bundle: true,
    format: "esm",
    minify: true,
    target: TARGET,
    legalComments: "none", // The licences lie beside the bundles as whole texts.
  });
  keepFiles(made, site);
  site.inputs.push(...Object.keys(made.metafile.inputs));
  const entries = Object.entries(made.metafile.outputs).filter(([, { entryPoint }]) => entryPoint !== undefined);
  return Object.fromEntries(entries.map(([path, { entryPoint }]) => [`/js/vendor/${basename(entryPoint)}`, BUILT + basename(path)]));
}

async function bundlePage(root, page, libraries, site) {
  const web = join(root, "web");
  const html = readFileSync(join(web, page), "utf8");
  const entry = /<script type="module" src="\/([^"]+)">/.exec(html)[1];
  const styles = [...html.matchAll(/<link rel="stylesheet" href="([^"]+)">/g)].map((found) => found[1]);
  const name = basename(page, ".html");
  const options = {
    ...ours,
    ...kept,
    absWorkingDir: web,
    entryPoints: { [name]: entry },
    chunkNames: "[name]-[hash]",
    splitting: true,
    tsconfigRaw: {}, // web/jsconfig.json is for the checker: its paths lead to declarations.
  };
  const graph = (await build({ ...options, plugins: [libraryAt(libraries)] })).metafile.inputs;
  const scripts = await build({
    ...options,
    sourcemap: "linked",
    sourcesContent: false,
    plugins: [libraryAt(libraries), inOneChunk(web, entry, graph)],
  });
  const sheet = await build({
    ...ours,
    ...kept,
    absWorkingDir: web,
    entryPoints: { [name]: "styles" },
    plugins: [virtual("styles", "css", web, styles.map((path) => `@import ".${path}";`))],
  });
  for (const made of [scripts, sheet]) keepFiles(made, site, web);
  const inputs = [
    page, // What it links is what went in.
    ...Object.keys(graph).map((path) => path.split(sep).join("/")),
    ...styles.map((path) => path.slice(1)),
  ];
  for (const path of inputs) site.manifest.sources[path] = createHash("sha256").update(readFileSync(join(web, path))).digest("hex");

  const { outputs } = scripts.metafile;
  const start = Object.keys(outputs).find((path) => outputs[path].entryPoint?.endsWith(entry));
  const first = reached(outputs, start);
  const waiting = Object.keys(outputs).filter((path) => path.endsWith(".js") && !first.has(path));
  const soon = html.includes("<live-player") ? waiting.filter((path) => /\/playback-\w+\.js$/.test(path)) : [];
  const later = LATER_UNASKED.has(page) ? [] : waiting.filter((path) => !soon.includes(path));
  return {
    script: BUILT + basename(start),
    needs: [...first].filter((path) => path !== start).map((path) => BUILT + basename(path)).sort(),
    soon: soon.length > 0 ? [...soon.map((path) => BUILT + basename(path)), libraries["/js/vendor/hls.js"]] : [],
    later: later.map((path) => BUILT + basename(path)).sort(),
    style: BUILT + basename(Object.keys(sheet.metafile.outputs)[0]),
    inputs: inputs.sort(),
  };
}

/** A library is a file of its own, which all pages share. */
function libraryAt(libraries) {
  return {
    name: "libraries",
    setup: (hook) => hook.onResolve({ filter: /^\/js\/vendor\// }, ({ path }) => ({ path: libraries[path], external: true })),
  };
}

/**
 * What a page needs at its start, in one chunk. esbuild makes a chunk for every set of entries that share something, and a
 * module that is loaded later is an entry: nine files for the channel. So what comes later is made to need all of the start,
 * which is there by then and costs nothing.
 */
function inOneChunk(web, entry, graph) {
  const start = new Set();
  const walk = (path) => {
    if (start.has(path)) return;
    start.add(path);
    for (const { path: next, kind, external } of graph[path].imports) if (kind === "import-statement" && !external) walk(next);
  };
  walk(entry);
  const later = new Set(Object.values(graph).flatMap(({ imports }) => imports)
    .filter(({ path, kind, external }) => kind === "dynamic-import" && !external && !start.has(path)).map(({ path }) => path));
  start.delete(entry);
  const whole = virtual("start", "js", web, [...start].map((path) => `import "./${path}";`));
  return {
    name: "start",
    setup: (hook) => {
      whole.setup(hook);
      hook.onLoad({ filter: /\.js$/ }, ({ path }) => {
        if (!later.has(relative(web, path).split(sep).join("/"))) return null;
        return { contents: `${readFileSync(path, "utf8")}\nimport "start";\n`, loader: "js" };
      });
    },
  };
}

/** A file that is nowhere but here. */
function virtual(name, loader, resolveDir, lines) {
  return {
    name,
    setup: (hook) => {
      hook.onResolve({ filter: new RegExp(`^${name}$`) }, () => ({ path: name, namespace: "virtual" }));
      hook.onLoad({ filter: /.*/, namespace: "virtual" }, () => ({ contents: lines.join("\n"), loader, resolveDir }));
    },
  };
}

/** What a module needs before it runs. */
function reached(outputs, path, found = new Set()) {
  if (found.has(path)) return found;
  found.add(path);
  for (const { path: next, kind } of outputs[path]?.imports ?? []) if (kind === "import-statement") reached(outputs, next, found);
  return found;
}

function keepFiles({ outputFiles }, site, web) {
  for (const { path, contents } of outputFiles) {
    site.files.set(basename(path), path.endsWith(".map") ? withAddresses(contents, web, dirname(path)) : contents);
  }
}

/** A map names the sources as the house serves them: it needs not hold their text. */
function withAddresses(contents, web, folder) {
  const map = JSON.parse(new TextDecoder().decode(contents));
  map.sources = map.sources.map((path) => `/${relative(web, resolve(folder, path)).split(sep).join("/")}`);
  return new TextEncoder().encode(JSON.stringify(map));
}
