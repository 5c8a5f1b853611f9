"""Roof: an operator's shell, for the tests of the desk."""

from __future__ import annotations

import asyncio
import io

import pytest

from console.__main__ import main
from routes.settings import KEYS, SECRET_BYTES_MIN


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """An operator's shell without a setting but the data folder."""
    monkeypatch.chdir(tmp_path)
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("COMMEOW_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def given(bare, monkeypatch, database_url, redis_url):
    """A shell with the address of both stores."""
    monkeypatch.setenv("COMMEOW_DATABASE_URL", database_url)
    monkeypatch.setenv("COMMEOW_REDIS_URL", redis_url)
    monkeypatch.setenv("COMMEOW_SECRET", "s" * SECRET_BYTES_MIN)
    return bare


@pytest.fixture
def commeow(given, capsys, monkeypatch):
    """Run a verb to its end, in a thread: the test's own loop stays free. Answers (code, printed, complained)."""

    async def run(*words, typed=None):
        if typed is not None:
            monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        code = await asyncio.to_thread(main, [*map(str, words)])
        return code, *capsys.readouterr()

    return run
