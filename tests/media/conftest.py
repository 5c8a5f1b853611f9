"""Roof: films for the tests of media/."""

from __future__ import annotations

import pytest

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
