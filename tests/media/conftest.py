"""Roof: films for the tests of media/."""

from __future__ import annotations

import pytest

from media.spool import Spool
from tests.media import films


@pytest.fixture(scope="session")
def film(ffmpeg, tmp_path_factory):
    """A function that gives the path of a film by the name of its recipe; made once a session."""
    folder = tmp_path_factory.mktemp("films")
    made = {}

    def get(name: str):
        if name not in made:
            made[name] = films.make(ffmpeg, folder, name)
        return made[name]

    return get


@pytest.fixture
async def spool(tmp_path, monkeypatch):
    """A spool on a real disk, however slow that is."""
    monkeypatch.setattr("media.spool.CLOSE_SECONDS_MAX", 60.0)
    spool = Spool(tmp_path / "hls", quota_bytes=2**30)
    spool.start()
    yield spool
    await spool.close()


@pytest.fixture
def patient(monkeypatch):
    """Nobody gives an encoder up for being slow: films are played quicker than life, and machines are busy."""
    monkeypatch.setattr("media.backlog.BACKLOG_MS_MAX", 600_000)
    monkeypatch.setattr("media.encoder_watch.STALL_SECONDS", 60.0)
    for module in ("media.encoder_run", "media.transcoder"):
        monkeypatch.setattr(f"{module}.DRAIN_SECONDS_MAX", 60.0)
    monkeypatch.setattr("media.hls_writer.writer.START_SECONDS_MAX", 60.0)
