// The site's own rules, read off its files: words in catalogues only, no HTML from strings, kinds, floors, limits.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import esbuild from "esbuild";

const web = resolve(dirname(fileURLToPath(import.meta.url)), "../../web");
const read = (path) => readFileSync(join(web, path), "utf8");
const files = (folder, ending) =>
  readdirSync(join(web, folder), { recursive: true }).map(String).filter((name) => name.endsWith(ending)).map((name) => join(folder, name)).sort();
const scripts = files("js", ".js");
const pages = readdirSync(web).filter((name) => name.endsWith(".html"));
const catalogues = { ko: JSON.parse(read("i18n/ko.json")), en: JSON.parse(read("i18n/en.json")) };
const withoutComments = (text) => text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[\s;{}])\/\/.*$/gm, "$1");
const names = (text) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
const forms = (phrase) => (typeof phrase === "string" ? [phrase] : Object.values(phrase));
const placeholders = (phrase) => [...new Set(forms(phrase).flatMap(names))].sort();

/** Text outside the tags of a template, and the words in attributes that people read or hear. */
function literals(template) {
  const shown = template.replace(/<[^>]*>/g, " ");
  const spoken = [...template.matchAll(/\s(?:aria-label|title|placeholder|alt)="([^"]*)"/g)].map((match) => match[1]);
  return [shown, ...spoken].join(" ").replace(/&\w+;/g, " ");
}

/** The html`…` and svg`…` templates of a module, each with its `${…}` cut out. */
function templates(source) {
  const found = [];
  const readTemplate = (from) => {
    let text = "";
    let at = from;
    while (at < source.length && source[at] !== "`") {
      if (source[at] === "\\") at += 1;
      if (source.startsWith("${", at)) {
        let depth = 1;
        at += 2;
        while (depth > 0) {
          if (source[at] === "`") at = readTemplate(at + 1);
          else if (source[at] === "{") depth += 1;
          else if (source[at] === "}") depth -= 1;
          at += 1;
        }
        text += "0";
      } else {
        text += source[at];
        at += 1;
      }
    }
    if (/(?:html|svg)$/.test(source.slice(from - 5, from - 1))) found.push(text);
    return at;
  };
  for (let at = 0; at < source.length; at += 1) if (source[at] === "`") at = readTemplate(at + 1);
  return found;
}

test("the scan itself sees literals", () => {
  assert.deepEqual(templates("const x = html`<p title=${t('a')}>Hi ${html`<b>you</b>`}</p>`;").sort(), ["<b>you</b>", "<p title=0>Hi 0</p>"]);
  assert.match(literals('<p aria-label="Close">0</p>'), /Close/);
});

test("both languages have the same keys", () => {
  assert.deepEqual(Object.keys(catalogues.ko).sort(), Object.keys(catalogues.en).sort());
});

for (const [language, catalogue] of Object.entries(catalogues)) {
  test(`${language}: every phrase says something, in the plural forms of the language`, () => {
    const categories = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
    for (const [key, phrase] of Object.entries(catalogue)) {
      for (const form of forms(phrase)) assert.ok(form.trim() !== "", key);
      if (typeof phrase !== "string") assert.deepEqual(Object.keys(phrase).sort(), [...categories].sort(), key);
    }
  });
}

test("both languages fill in the same names", () => {
  for (const [key, phrase] of Object.entries(catalogues.en)) {
    assert.deepEqual(placeholders(catalogues.ko[key]), placeholders(phrase), key);
  }
});

test("English is English and Korean has no forgotten sentence", () => {
  for (const [key, phrase] of Object.entries(catalogues.en)) {
    if (key !== "nav.other_language") for (const form of forms(phrase)) assert.doesNotMatch(form, /\p{Script=Hangul}/u, key);
  }
  const same = Object.keys(catalogues.en).filter((key) => JSON.stringify(catalogues.en[key]) === JSON.stringify(catalogues.ko[key]));
  assert.deepEqual(same.sort(), ["brand", "live.badge", "page_title"]);
});

test("every key that is used exists, and every key is used", () => {
  const used = new Set();
  const families = new Set();
  for (const path of scripts) {
    const source = withoutComments(read(path));
    for (const match of source.matchAll(/"([a-z_]+(?:\.[a-z_0-9]+)*)"/g)) if (match[1] in catalogues.en) used.add(match[1]);
    for (const match of source.matchAll(/\bt\(\s*"([^"]+)"/g)) assert.ok(match[1] in catalogues.en, `${path}: ${match[1]}`);
    for (const match of source.matchAll(/`([a-z_]+[._][a-z_.]*)\$\{/g)) families.add(match[1]);
  }
  for (const page of pages) {
    for (const match of read(page).matchAll(/data-i18n(?:-[a-z-]+)?="([^"]+)"/g)) {
      assert.ok(match[1] in catalogues.en, `${page}: ${match[1]}`);
      used.add(match[1]);
    }
  }
  const idle = Object.keys(catalogues.en).filter((key) => !used.has(key) && ![...families].some((family) => key.startsWith(family)));
  assert.deepEqual(idle, []);
});

const CONTRACT_CODES = `points.insufficient points.amount points.self transfer.id_reused chat.too_long chat.muted chat.banned chat.slow
  chat.followers_only wire.shape limit.too_fast auth.members_only auth.forbidden auth.bad_login auth.token_expired auth.token_invalid
  member.taken member.weak_password channel.unknown channel.off_air store.unavailable store.unknown internal`.split(/\s+/);
test("every code of the protocol has words", () => {
  for (const code of CONTRACT_CODES) assert.ok(`error.${code}` in catalogues.en, code);
});

for (const path of scripts) {
  const source = read(path);
  const code = withoutComments(source);

  test(`${path}: no word outside the catalogues`, () => {
    assert.doesNotMatch(code, /\p{Script=Hangul}/u);
    for (const template of templates(code)) assert.doesNotMatch(literals(template), /\p{L}/u);
    assert.doesNotMatch(code, /(?:textContent|innerText|document\.title|placeholder|ariaLabel)\s*=\s*["'`]/);
    assert.doesNotMatch(code, /setAttribute\(\s*"(?:aria-label|title|placeholder|alt)"\s*,\s*["'`]/);
    assert.doesNotMatch(code, /\b(?:alert|confirm|prompt)\(/);
  });

  test(`${path}: no HTML and no script from strings, no style in markup`, () => {
    assert.doesNotMatch(code, /innerHTML|outerHTML|insertAdjacentHTML|unsafeHTML|unsafeSVG|document\.write|DOMParser|createContextualFragment/);
    assert.doesNotMatch(code, /\beval\(|new Function\(|setTimeout\(\s*["'`]/);
    for (const template of templates(code)) assert.doesNotMatch(template, /\sstyle=|<script|<style|\son\w+=/);
  });

  test(`${path}: says its kind, fits in the head`, () => {
    const kind = { core: "Core", net: "Shell", elements: "Door", pages: "Roof" }[path.split(/[\\/]/)[1]];
    assert.match(source, new RegExp(`^/\\*\\*\\n \\* ${kind}: [\\s\\S]*?@module\\n \\*/\\n`));
    assert.ok(source.split("\n").length <= 400, "400 lines");
  });

  test(`${path}: imports go down the floors only`, () => {
    const floors = ["core", "net", "elements", "pages"];
    const floor = floors.indexOf(path.split(/[\\/]/)[1]);
    for (const match of code.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)) {
      if (match[1].startsWith("/js/vendor/")) {
        assert.ok(floor > 0, match[1]);
        if (match[1].endsWith("lit.js")) assert.equal(path.split(/[\\/]/)[1], "elements");
        continue;
      }
      const target = relative(web, resolve(web, dirname(path), match[1])).split(/[\\/]/);
      assert.equal(target[0], "js");
      assert.ok(floors.indexOf(target[1]) <= floor, match[1]);
      assert.ok(floors.indexOf(target[1]) < 3, match[1]);
    }
  });
}

for (const path of scripts.filter((name) => name.startsWith(join("js", "core")))) {
  test(`${path}: knows no DOM, no clock, no chance, no network`, () => {
    assert.doesNotMatch(
      withoutComments(read(path)),
      /(?<!\.)\bwindow\.|\b(?:document|navigator|localStorage|fetch|WebSocket|HTMLElement|setTimeout|setInterval|requestAnimationFrame|performance|crypto)\b|Date\.now|new Date\(\)|Math\.random/,
    );
  });
}

test("every core has a test of its own", () => {
  const tested = readdirSync(resolve(web, "../tests/web")).map((name) => name.replace(".test.mjs", ".js"));
  const cores = scripts.filter((name) => name.startsWith(join("js", "core"))).map((name) => name.split(/[\\/]/).at(-1));
  assert.deepEqual(cores.filter((name) => !tested.includes(name)), []);
});

for (const page of pages) {
  const source = read(page);
  test(`${page}: has the language of the reader, no inline script or style, and no words but for <noscript>`, () => {
    assert.match(source, /<html lang="\{\{lang\}\}">/);
    assert.doesNotMatch(source, /<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=/);
    const shown = source.replace(/<noscript>[\s\S]*?<\/noscript>/g, "").replace(/<title>Commeow<\/title>/, "").replace(/<[^>]*>/g, " ");
    assert.doesNotMatch(shown, /\p{L}/u);
  });
  test(`${page}: loads only what is there`, () => {
    for (const match of source.matchAll(/(?:href|src)="(\/(?:css|js)\/[^"]+)"/g)) {
      if (!match[1].startsWith("/js/vendor/")) assert.ok(read(match[1]).length > 0, match[1]);
    }
  });
}

/** Every module that a page's script needs before it runs; what it loads later (`import()`) is not among them. */
function needs(script, found = new Set()) {
  for (const match of withoutComments(read(script)).matchAll(/^import (?:[^"]*? from )?"([^"]+)";/gm)) {
    const path = match[1].startsWith("/") ? match[1] : `/${relative(web, resolve(web, dirname(script.slice(1)), match[1]))}`;
    if (found.has(path)) continue;
    found.add(path);
    if (!path.startsWith("/js/vendor/")) needs(path, found);
  }
  return found;
}

for (const page of pages) {
  test(`${page}: asks for all its modules at once, and for no other`, () => {
    const source = read(page);
    const preloads = [...source.matchAll(/rel="modulepreload" href="([^"]+)"/g)].map((match) => match[1]);
    const script = source.match(/<script type="module" src="([^"]+)">/)[1];
    assert.deepEqual(preloads, [...needs(script)].sort());
  });
}

/** What a visitor's browser loads before it can be used. The player's chunk (hls.js) comes later, by `import()`. */
const SCRIPT_KILOBYTES_MAX = { "index.html": 25, "channel.html": 60 };
for (const [page, kilobytes] of Object.entries(SCRIPT_KILOBYTES_MAX)) {
  test(`${page}: at most ${kilobytes} KB of script, zipped`, () => {
    const script = read(page).match(/<script type="module" src="([^"]+)">/)[1];
    assertWithin(kilobytes, new Set([...needs(script), script]));
  });
}

/** Each overlay in OBS is a page that loads the one thing it shows; the chat its pictures' codes too. */
const OVERLAY_KILOBYTES_MAX = 40;
const OVERLAYS = {
  alerts: ["/js/elements/overlay_alerts.js"],
  chat: ["/js/elements/chat_list.js", "/js/core/emotes.js", "/js/net/emotes.js"],
  goal: ["/js/elements/overlay_goal.js"],
};
for (const [kind, chunks] of Object.entries(OVERLAYS)) {
  test(`overlay of the ${kind}: at most ${OVERLAY_KILOBYTES_MAX} KB of script, zipped`, () => {
    const loaded = ["/js/pages/overlay.js", ...chunks].flatMap((path) => [...needs(path), path]);
    assertWithin(OVERLAY_KILOBYTES_MAX, new Set(loaded));
  });
}

/** @param {number} kilobytes @param {Set<string>} paths */
function assertWithin(kilobytes, paths) {
  const total = [...paths].reduce((sum, path) => sum + gzipSync(source(path), { level: 9 }).length, 0);
  assert.ok(total <= kilobytes * 1024, `${(total / 1024).toFixed(1)} KB`);
}

/** As it is sent: our scripts as they are written, the libraries as the build hook bundled them. */
function source(path) {
  if (!path.startsWith("/js/vendor/")) return read(path);
  return esbuild.buildSync({
    entryPoints: [resolve(web, "../tools/vendor", path.split("/").at(-1))],
    bundle: true,
    format: "esm",
    minify: true,
    target: "es2022",
    write: false,
  }).outputFiles[0].contents;
}

test("colours are named in the token file; elsewhere only shades of the picture's own dark", () => {
  for (const path of files("css", ".css").filter((name) => !name.endsWith("tokens.css"))) {
    assert.doesNotMatch(read(path), /#[0-9a-f]{3,8}\b|rgba?\(|hsla?\(|light-dark\(/i, path);
  }
});
