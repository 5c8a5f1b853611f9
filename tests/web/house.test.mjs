// The site's own rules, read off its files: words in catalogues only, no HTML from strings, kinds, floors, limits.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { bundleSite } from "../../tools/site.mjs";

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

  test(`${path}: what waits is aria-disabled: disabled drops the focus, and the keyboard its place`, () => {
    assert.doesNotMatch(code, /<(?:button|fieldset)\b[^<]*\?disabled=/);
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

test("the manifest: what a phone's home screen says, opens and shows", () => {
  const manifest = JSON.parse(read("manifest.webmanifest"));
  assert.equal(manifest.name, catalogues.ko.brand);
  assert.equal(manifest.short_name, catalogues.en.brand);
  assert.deepEqual([manifest.id, manifest.start_url, manifest.scope, manifest.display], ["/", "/", "/", "standalone"]);
  assert.ok(manifest.lang in catalogues);
  for (const colour of [manifest.theme_color, manifest.background_color]) assert.match(colour, /^#[0-9a-f]{6}$/);
  for (const { src, sizes, type } of manifest.icons) {
    const picture = readFileSync(join(web, src));
    assert.equal(type, "image/png");
    assert.deepEqual([...picture.subarray(1, 4)], [...Buffer.from("PNG")], src);
    assert.equal(`${picture.readUInt32BE(16)}x${picture.readUInt32BE(20)}`, sizes, src);
  }
  // What browsers want before they offer to install: both sizes, and one that may be cut to any shape.
  assert.deepEqual(new Set(manifest.icons.map(({ sizes }) => sizes)), new Set(["192x192", "512x512"]));
  assert.ok(manifest.icons.some(({ purpose }) => purpose === "maskable"));
  const apart = ["overlay.html"]; // In OBS.
  for (const page of pages.filter((name) => !apart.includes(name))) assert.match(read(page), /<link rel="manifest" href="\/manifest\.webmanifest">/, page);
});

const site = await bundleSite(resolve(web, ".."));
const text = (name) => new TextDecoder().decode(site.files.get(name));
const named = (name) => [...site.files.keys()].find((file) => file.startsWith(`${name}-`) && file.endsWith(".js"));

/** Every module that one needs before it runs, and itself; what it loads later (`import()`) is not among them. */
function needs(name, found = new Set()) {
  if (found.has(name)) return found;
  found.add(name);
  for (const match of text(name).matchAll(/(?:^|[;}])import(?:[^"();]*?from)?"(?:\.|\/built)\/([^"]+)"/g)) needs(match[1], found);
  return found;
}

for (const page of pages) {
  const bundle = site.manifest.pages[page];
  const script = bundle.script.replace("/built/", "");
  test(`${page}: its bundle asks for all it needs at once, for no other, and is few files`, () => {
    const needed = [...needs(script)].filter((name) => name !== script).map((name) => `/built/${name}`);
    assert.deepEqual(bundle.needs, needed.sort());
    assert.ok(bundle.inputs.includes(page), "a page that links other files is no longer the one that was bundled");
    assert.ok(needed.length <= 2, "a chunk and Lit");
    for (const address of [bundle.style, ...bundle.soon, ...bundle.later]) assert.ok(site.files.has(address.replace("/built/", "")), address);
  });
}

test("every script and style is in the bundle of a page", () => {
  const bundled = new Set(Object.values(site.manifest.pages).flatMap(({ inputs }) => inputs));
  const written = [...scripts, ...files("css", ".css")].map((path) => path.replaceAll("\\", "/"));
  assert.deepEqual(written.filter((path) => !bundled.has(path)), []);
});

test("a bundle has no comments, keeps its names, and tells where it came from", () => {
  const name = named("chat_acts");
  assert.doesNotMatch(text(name), /\/\*|@param|\n\n/);
  assert.match(text(name), /ChatActs ?= ?class/);
  for (const path of JSON.parse(text(`${name}.map`)).sources) assert.ok(read(path).length > 0, path);
});

test("a bundle is named by what is in it", async () => {
  const again = await bundleSite(resolve(web, ".."));
  assert.deepEqual([...again.files.keys()], [...site.files.keys()]);
});

/** What a visitor's browser loads before it can be used. The player's chunk (hls.js) comes later, by `import()`. */
const SCRIPT_KILOBYTES_MAX = { "index.html": 20, "channel.html": 40 };
for (const [page, kilobytes] of Object.entries(SCRIPT_KILOBYTES_MAX)) {
  test(`${page}: at most ${kilobytes} KB of script, zipped`, () => {
    assertWithin(kilobytes, needs(site.manifest.pages[page].script.replace("/built/", "")));
  });
}

/** Each overlay in OBS is a page that loads the one thing it shows; the chat its pictures' codes too. */
const OVERLAY_KILOBYTES_MAX = 40;
const OVERLAYS = { alerts: ["overlay_alerts"], chat: ["chat_list", "emotes"], goal: ["overlay_goal"] };
for (const [kind, chunks] of Object.entries(OVERLAYS)) {
  test(`overlay of the ${kind}: at most ${OVERLAY_KILOBYTES_MAX} KB of script, zipped`, () => {
    const names = [...site.files.keys()].filter((file) => file.endsWith(".js"));
    const loaded = chunks.flatMap((chunk) => names.filter((file) => file.startsWith(`${chunk}-`)));
    assert.ok(loaded.length >= chunks.length);
    assertWithin(OVERLAY_KILOBYTES_MAX, new Set(["overlay", ...loaded].flatMap((name) => [...needs(named(name) ?? name)])));
  });
}

/** @param {number} kilobytes @param {Set<string>} names */
function assertWithin(kilobytes, names) {
  const total = [...names].reduce((sum, name) => sum + gzipSync(site.files.get(name), { level: 9 }).length, 0);
  assert.ok(total <= kilobytes * 1024, `${(total / 1024).toFixed(1)} KB`);
}

test("colours are named in the token file; elsewhere only shades of the picture's own dark", () => {
  for (const path of files("css", ".css").filter((name) => !name.endsWith("tokens.css"))) {
    assert.doesNotMatch(read(path), /#[0-9a-f]{3,8}\b|rgba?\(|hsla?\(|light-dark\(/i, path);
  }
});
