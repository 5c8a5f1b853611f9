import assert from "node:assert/strict";
import { test } from "node:test";
import { logInPath, nextPath, signUpPath } from "../../web/js/core/next_path.js";

for (const good of ["/", "/studio", "/c/%EB%82%98%EB%B9%84?x=1#y"]) {
  test(`${good} is ours`, () => assert.equal(nextPath(good), good));
}

for (const bad of [null, "", "studio", "//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "/\t/evil.example", "/a\\b"]) {
  test(`${JSON.stringify(bad)} is not`, () => assert.equal(nextPath(bad), "/"));
}

for (const [page, pathOf] of [["/login", logInPath], ["/signup", signUpPath]]) {
  test(`${page} comes back`, () => {
    const [path, query] = pathOf("/c/나비?a=1&b=2").split("?");
    assert.equal(path, page);
    assert.equal(nextPath(new URLSearchParams(query).get("next")), "/c/나비?a=1&b=2");
  });
}
