"""`./commeow` in a copied checkout: sets itself up, starts at once the next time, and writes where it may."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
ITS_OWN = {".venv", ".cache", ".data"}
SETUP_SECONDS_MAX = 500  # From an empty cache on a busy machine; from a full one it is a few.
pytestmark = pytest.mark.timeout(600)


def launch(checkout: Path, *words: str, **environment: str) -> subprocess.CompletedProcess:
    clean = {key: value for key, value in os.environ.items() if key not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    return subprocess.run(
        [checkout / "commeow", *words],
        cwd="/",
        env=clean | {"COMMEOW_WEB": "skip", **environment},
        capture_output=True,
        text=True,
        timeout=SETUP_SECONDS_MAX,
        check=False,
    )


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of what is in git (and what is about to be), with this checkout's cache."""
    copy = tmp_path_factory.mktemp("check out")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    (ROOT / ".cache").mkdir(exist_ok=True)
    (copy / ".cache").symlink_to(ROOT / ".cache")
    return copy


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_it_sets_itself_up_once_and_writes_only_what_is_its_own(checkout):
    before = names(checkout)
    first = launch(checkout, "version")

    assert 0 == first.returncode, first.stderr
    assert first.stdout.startswith("version")
    assert "commeow: set up" in first.stderr
    assert names(checkout) - before <= ITS_OWN

    second = launch(checkout, "version")

    assert (0, "") == (second.returncode, second.stderr)
    assert first.stdout == second.stdout
    assert names(checkout) - before <= ITS_OWN


@pytest.mark.parametrize("shell", [{}, {"PYTHONDONTWRITEBYTECODE": "1"}])
def test_what_was_compiled_is_kept_apart_from_the_sources_whatever_the_shell_says(checkout, shell):
    compiled = checkout / ".cache" / "python" / checkout.relative_to("/") / "console"
    shutil.rmtree(compiled, ignore_errors=True)
    launch(checkout, "version", **shell)

    assert any(path.name.startswith("__main__.") for path in compiled.iterdir())
    assert not any(checkout.glob("*/__pycache__"))


def test_a_changed_lock_sets_it_up_again(checkout):
    launch(checkout, "version")
    with (checkout / "requirements.lock").open("a") as lock:
        lock.write(f"# {time.time()}\n")
    again = launch(checkout, "version")

    assert 0 == again.returncode
    assert "installing what requirements.lock names" in again.stderr
    assert "" == launch(checkout, "version").stderr


def test_words_and_exit_codes_pass_through(checkout):
    launch(checkout, "version")
    wrong = launch(checkout, "danse")
    refused = launch(checkout, "up", COMMEOW_HTTP_PORT="eighty")

    assert 2 == wrong.returncode
    assert 1 == refused.returncode
    assert 1 == len(refused.stderr.splitlines())
    assert not (checkout / ".data").exists()


def test_without_a_fitting_python_it_says_what_to_install(tmp_path):
    shutil.copy2(ROOT / "commeow", tmp_path)
    for name in ("pyproject.toml", "requirements.lock", "package.json", "package-lock.json"):
        shutil.copy2(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "dirname", "cksum", "cat", "mkdir"):
        (tools / name).symlink_to(shutil.which(name))
    alone = launch(tmp_path, "version", PATH=str(tools))

    assert 1 == alone.returncode
    assert "apt-get install python3 python3-pip" in alone.stderr
    assert not (tmp_path / ".venv").exists()


def test_without_pip_and_uv_it_says_what_to_install(tmp_path):
    for name in ("commeow", "pyproject.toml", "requirements.lock", "package.json", "package-lock.json"):
        shutil.copy2(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "dirname", "cksum", "cat", "mkdir"):
        (tools / name).symlink_to(shutil.which(name))
    python = tools / "python3"
    python.write_text('#!/bin/sh\ncase "$*" in *pip*) exit 1;; esac\nexit 0\n')
    python.chmod(0o755)
    alone = launch(tmp_path, "version", PATH=str(tools))

    assert 1 == alone.returncode
    assert "python3-pip" in alone.stderr
    assert not (tmp_path / ".venv").exists()
