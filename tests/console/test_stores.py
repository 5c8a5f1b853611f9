"""How the console's verbs find the stores, and what they keep beside them."""

from __future__ import annotations

import asyncio
import stat

import pytest

from console.embedded_server import FolderUnusable
from console.stores import HouseRuns, SecretSpoilt, Servers, fill_secret, keep, only_house, open_stores, servers_for
from routes.settings import SECRET_BYTES_MIN, Settings, SettingsError

SECRET = b"s" * SECRET_BYTES_MIN


def test_the_secret_is_made_once_and_only_we_may_read_it(tmp_path):
    settings = Settings(data=tmp_path / "data")
    first = fill_secret(settings).secret

    assert len(first) >= SECRET_BYTES_MIN
    assert first == fill_secret(settings).secret
    assert 0o600 == stat.S_IMODE((tmp_path / "data" / "secret").stat().st_mode)
    assert first != fill_secret(Settings(data=tmp_path / "other")).secret


def test_a_given_secret_is_used_and_nothing_made(tmp_path):
    settings = Settings(data=tmp_path / "data", secret=SECRET)

    assert settings == fill_secret(settings)
    assert not settings.data.exists()


def test_a_spoilt_secret_is_one_line(tmp_path):
    (tmp_path / "secret").write_text("short")
    with pytest.raises(SecretSpoilt) as refused:
        fill_secret(Settings(data=tmp_path))

    assert str(tmp_path / "secret") in str(refused.value)


def test_what_is_kept_is_kept_whole_and_the_first_wins(tmp_path):
    keep(tmp_path / "file", "first")
    keep(tmp_path / "file", "second")

    assert "first" == (tmp_path / "file").read_text()
    assert [tmp_path / "file"] == list(tmp_path.iterdir())


def test_one_house_at_a_time(tmp_path):
    with only_house(tmp_path / "data"), pytest.raises(HouseRuns) as refused, only_house(tmp_path / "data"):
        pass

    assert str(tmp_path / "data") in str(refused.value)

    with only_house(tmp_path / "data"):
        pass


def test_given_stores_start_nothing_and_need_a_secret():
    given = {"database_url": "postgresql://h/d", "redis_url": "redis://h"}

    assert Servers(None, None) == servers_for(Settings(**given, secret=SECRET))

    with pytest.raises(SettingsError) as refused:
        servers_for(Settings(**given))

    assert "COMMEOW_SECRET" == refused.value.key


def test_each_store_may_be_given_by_itself(tmp_path):
    one = servers_for(Settings(data=tmp_path, database_url="postgresql://h/d"))
    other = servers_for(Settings(data=tmp_path, redis_url="redis://h"))

    assert one.postgresql is None
    assert one.valkey is not None
    assert other.postgresql is not None
    assert other.valkey is None


async def test_stores_are_started_for_a_moment_and_shared(tmp_path):
    settings = Settings(data=tmp_path)

    async def use() -> Settings:
        async with open_stores(settings) as found:
            return found

    one, other = await asyncio.gather(use(), use())

    assert one == other
    assert str(tmp_path) in one.database_url
    assert one.redis_url.startswith("unix://")


async def test_an_unusable_folder_starts_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderUnusable):
        async with open_stores(Settings(data=tmp_path / "file")):
            pass
