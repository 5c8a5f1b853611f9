"""Settings: every key, and every way to get one wrong."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import pytest

from routes import settings
from routes.settings import KEYS, Settings, SettingsError, find_ffmpeg, from_environment, read

SECRET = "s" * settings.SECRET_BYTES_MIN

RTMPS = {"COMMEOW_RTMPS_PORT": "1936", "COMMEOW_RTMPS_CERTIFICATE": "c.pem", "COMMEOW_RTMPS_KEY": "k.pem"}

RIGHT = [
    ("COMMEOW_HOST", "0.0.0.0", "host", "0.0.0.0"),
    ("COMMEOW_HOST", "::1", "host", "::1"),
    ("COMMEOW_HTTP_PORT", "1", "http_port", 1),
    ("COMMEOW_RSOCKET_PORT", "65535", "rsocket_port", 65_535),
    ("COMMEOW_RTMP_PORT", " 1936 ", "rtmp_port", 1936),
    ("COMMEOW_RTMPS_PORT", "1937", "rtmps_port", 1937),
    ("COMMEOW_RTMPS_CERTIFICATE", "/etc/c.pem", "rtmps_certificate", Path("/etc/c.pem")),
    ("COMMEOW_RTMPS_KEY", "/etc/k.pem", "rtmps_key", Path("/etc/k.pem")),
    ("COMMEOW_PUBLIC_URL", "https://live.example.org/", "public_url", "https://live.example.org"),
    ("COMMEOW_PUBLIC_URL", "http://live.example.org:8443", "public_url", "http://live.example.org:8443"),
    ("COMMEOW_PUBLIC_URL", "https://Live.Example.org:443", "public_url", "https://live.example.org"),
    ("COMMEOW_PUBLIC_URL", "http://live.example.org:80/", "public_url", "http://live.example.org"),
    ("COMMEOW_PUBLIC_URL", "http://[2001:DB8::1]:8080", "public_url", "http://[2001:db8::1]:8080"),
    ("COMMEOW_DATA", "/var/lib/commeow", "data", Path("/var/lib/commeow")),
    ("COMMEOW_DATABASE_URL", "postgresql://me@/db?host=/run", "database_url", "postgresql://me@/db?host=/run"),
    ("COMMEOW_DATABASE_URL", "postgres://h/db", "database_url", "postgres://h/db"),
    ("COMMEOW_REDIS_URL", "unix:///run/valkey.sock", "redis_url", "unix:///run/valkey.sock"),
    ("COMMEOW_REDIS_URL", "rediss://me:word@h/0", "redis_url", "rediss://me:word@h/0"),
    ("COMMEOW_REDIS_URL", "redis+cluster://h:1,[::1]:2,i", "redis_url", "redis+cluster://h:1,[::1]:2,i"),
    ("COMMEOW_REDIS_URL", "rediss+cluster://me:w@h", "redis_url", "rediss+cluster://me:w@h"),
    ("COMMEOW_REDIS_URL", "rediss+cluster://h:1,i:2?a=/b", "redis_url", "rediss+cluster://h:1,i:2?a=/b"),
    ("COMMEOW_FFMPEG", "/opt/ffmpeg", "ffmpeg", "/opt/ffmpeg"),
    ("COMMEOW_SECRET", SECRET, "secret", SECRET.encode()),
    ("COMMEOW_RSOCKET_WORKERS", "64", "rsocket_workers", settings.RSOCKET_WORKERS_MAX),
    ("COMMEOW_LADDER", "source, 480p", "ladder", ("source", "480p")),
    (
        "COMMEOW_LADDER",
        "source,1080p,720p,480p,360p",
        "ladder",
        ("source", "1080p", "720p", "480p", "360p"),
    ),
    ("COMMEOW_PART_MS", "200", "part_ms", 200),
    ("COMMEOW_DVR_MINUTES", "720", "dvr_minutes", settings.DVR_MINUTES_MAX),
    ("COMMEOW_DVR_DISK_MB", "64", "dvr_disk_mb", 64),
    ("COMMEOW_DEMO", "0", "demo", "0"),
    ("COMMEOW_PAYMENTS", "sandbox", "payments", "sandbox"),
    ("COMMEOW_KAKAOPAY_URL", "http://127.0.0.1:9000", "kakaopay_url", "http://127.0.0.1:9000"),
    ("COMMEOW_KAKAOPAY_CID", "CT12345678", "kakaopay_cid", "CT12345678"),
    ("COMMEOW_KAKAOPAY_SECRET_KEY", "key", "kakaopay_secret_key", "key"),
]

WRONG = [
    ("COMMEOW_HOST", "two words"),
    ("COMMEOW_HTTP_PORT", "0"),
    ("COMMEOW_HTTP_PORT", "65536"),
    ("COMMEOW_HTTP_PORT", "80a"),
    ("COMMEOW_HTTP_PORT", "-1"),
    ("COMMEOW_HTTP_PORT", "1" * 5000),
    ("COMMEOW_PUBLIC_URL", "live.example.org"),
    ("COMMEOW_PUBLIC_URL", "https://live.example.org/path"),
    ("COMMEOW_PUBLIC_URL", "https://live.example.org?a=1"),
    ("COMMEOW_PUBLIC_URL", "https://live.example.org#a"),
    ("COMMEOW_PUBLIC_URL", "https://me@live.example.org"),
    ("COMMEOW_PUBLIC_URL", "https://:80"),
    ("COMMEOW_PUBLIC_URL", "https://live.example.org:port"),
    ("COMMEOW_PUBLIC_URL", "https://live.example.org:0"),
    ("COMMEOW_DATABASE_URL", "mysql://h/db"),
    ("COMMEOW_DATABASE_URL", "postgresql:"),
    ("COMMEOW_DATABASE_URL", "postgresql://"),
    ("COMMEOW_DATABASE_URL", "postgresql://h/d b"),
    ("COMMEOW_REDIS_URL", "http://h"),
    ("COMMEOW_REDIS_URL", "redis://h:x"),
    ("COMMEOW_REDIS_URL", "redis://h:1,i:2"),
    ("COMMEOW_REDIS_URL", "redis+cluster://h:1,:2"),
    ("COMMEOW_REDIS_URL", "redis+cluster://h:1,"),
    ("COMMEOW_REDIS_URL", "redis+cluster://h:70000"),
    ("COMMEOW_SECRET", SECRET[1:]),
    ("COMMEOW_RSOCKET_WORKERS", "65"),
    ("COMMEOW_LADDER", "480p"),
    ("COMMEOW_LADDER", "source,481p"),
    ("COMMEOW_LADDER", "source,480p,480p"),
    ("COMMEOW_LADDER", "source,1080p,720p,480p,360p,240p"),
    ("COMMEOW_PART_MS", "99"),
    ("COMMEOW_PART_MS", "500"),
    ("COMMEOW_DVR_MINUTES", "721"),
    ("COMMEOW_DVR_DISK_MB", "0"),
    ("COMMEOW_DEMO", "yes"),
    ("COMMEOW_PAYMENTS", "paypal"),
    ("COMMEOW_KAKAOPAY_URL", "ftp://h"),
]


def test_nothing_given_is_a_house_on_this_machine():
    assert Settings() == read({}, None)


def test_every_setting_has_a_key_and_a_right_value_here():
    assert KEYS == {key for key, *_ in RIGHT}
    assert len(KEYS) == len(fields(Settings))


def needed(key):
    """The settings without which this one is wrong."""
    return {other: text for other, text in RTMPS.items() if key in RTMPS and other != key}


@pytest.mark.parametrize(("key", "text", "name", "value"), RIGHT)
def test_a_right_value_is_taken_from_the_environment(key, text, name, value):
    assert value == getattr(read(needed(key) | {key: text}, None), name)


@pytest.mark.parametrize(("key", "text", "name", "value"), RIGHT)
def test_the_same_key_is_taken_from_the_file(key, text, name, value):
    assert value == getattr(read(needed(key), f'{key} = "{text}"'), name)


@pytest.mark.parametrize(("key", "text"), WRONG)
def test_a_wrong_value_is_one_line_that_names_the_key(key, text):
    with pytest.raises(SettingsError) as refused:
        read({key: text}, None)

    assert key == refused.value.key
    assert str(refused.value).startswith(f"{key} ")
    assert ": " in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("key", ["COMMEOW_SECRET", "COMMEOW_DATABASE_URL", "COMMEOW_REDIS_URL"])
def test_a_wrong_secret_is_not_shown(key):
    with pytest.raises(SettingsError) as refused:
        read({key: "hunter2"}, None)

    assert "hunter2" not in str(refused.value)


def test_secrets_are_not_shown_in_a_log():
    shown = repr(
        read(
            {
                "COMMEOW_SECRET": SECRET,
                "COMMEOW_DATABASE_URL": "postgresql://me:hunter2@h/d",
                "COMMEOW_REDIS_URL": "redis://:hunter2@h",
                "COMMEOW_KAKAOPAY_SECRET_KEY": "hunter2",
            },
            None,
        )
    )

    assert "hunter2" not in shown
    assert SECRET not in shown


def test_the_environment_wins_over_the_file():
    assert 1 == read({"COMMEOW_HTTP_PORT": "1"}, "COMMEOW_HTTP_PORT = 2").http_port


def test_an_empty_value_counts_as_not_set():
    assert Settings() == read({"COMMEOW_HTTP_PORT": " "}, 'COMMEOW_DATABASE_URL = ""')


def test_a_number_in_the_file_needs_no_quotes():
    assert 81 == read({}, "COMMEOW_HTTP_PORT = 81").http_port


@pytest.mark.parametrize(
    ("toml", "word"),
    [
        ("COMMEOW_HTTP_PROT = 1", "COMMEOW_HTTP_PORT"),
        ("colour = 1", "remove it"),
        ("COMMEOW_HTTP_PORT = true", "whole number"),
        ("COMMEOW_LADDER = ['source']", "quotes"),
        ("COMMEOW_LADDER = ", "commeow.toml"),
    ],
)
def test_a_wrong_file_is_one_line(toml, word):
    with pytest.raises(SettingsError) as refused:
        read({}, toml)

    assert word in str(refused.value)
    assert "\n" not in str(refused.value)


def test_rtmps_is_a_port_a_certificate_and_a_key():
    given = read(RTMPS, None)

    assert (given.rtmps_port, given.rtmps_certificate, given.rtmps_key) == (1936, Path("c.pem"), Path("k.pem"))
    assert list(given.ports.values()) == [8080, 6565, 1935, 1936]
    assert "COMMEOW_RTMPS_PORT" not in read({}, None).ports


@pytest.mark.parametrize("missing", RTMPS)
def test_rtmps_wants_all_three(missing):
    with pytest.raises(SettingsError) as refused:
        read({key: value for key, value in RTMPS.items() if key != missing}, None)

    assert refused.value.key == missing


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"COMMEOW_HTTP_PORT": "6565"}, "COMMEOW_RSOCKET_PORT"),
        ({"COMMEOW_HTTP_PORT": "1935"}, "COMMEOW_RTMP_PORT"),
        ({"COMMEOW_RSOCKET_PORT": "1935"}, "COMMEOW_RTMP_PORT"),
        ({**RTMPS, "COMMEOW_RTMPS_PORT": "1935"}, "COMMEOW_RTMPS_PORT"),
    ],
)
def test_two_may_not_share_a_port(given, key):
    with pytest.raises(SettingsError) as refused:
        read(given, None)

    assert key == refused.value.key


LIVE = {"COMMEOW_PAYMENTS": "kakaopay", "COMMEOW_KAKAOPAY_CID": "CT12345678", "COMMEOW_KAKAOPAY_SECRET_KEY": "k"}
TEST = {"COMMEOW_PAYMENTS": "kakaopay-test", "COMMEOW_KAKAOPAY_SECRET_KEY": "k"}


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"COMMEOW_PAYMENTS": "kakaopay", "COMMEOW_KAKAOPAY_CID": "CT12345678"}, "COMMEOW_KAKAOPAY_SECRET_KEY"),
        ({"COMMEOW_PAYMENTS": "kakaopay-test"}, "COMMEOW_KAKAOPAY_SECRET_KEY"),
        # With the test merchant every payment succeeds and nobody has paid: points for nothing.
        ({**LIVE, "COMMEOW_KAKAOPAY_CID": "TC0ONETIME"}, "COMMEOW_KAKAOPAY_CID"),
        ({**LIVE, "COMMEOW_KAKAOPAY_CID": ""}, "COMMEOW_KAKAOPAY_CID"),
        # And a test must not take anybody's money.
        ({**TEST, "COMMEOW_KAKAOPAY_CID": "CT12345678"}, "COMMEOW_KAKAOPAY_CID"),
        ({**LIVE, "COMMEOW_KAKAOPAY_URL": "http://pay.example.org"}, "COMMEOW_KAKAOPAY_URL"),
    ],
)
def test_a_payment_provider_that_does_not_fit_stops_the_start(given, key):
    with pytest.raises(SettingsError) as refused:
        read(given, None)

    assert key == refused.value.key


@pytest.mark.parametrize(
    "given", [LIVE, TEST, {**TEST, "COMMEOW_KAKAOPAY_URL": "http://127.0.0.1:9000"}, {"COMMEOW_PAYMENTS": "sandbox"}]
)
def test_a_payment_provider_that_fits_is_taken(given):
    assert given["COMMEOW_PAYMENTS"] == read(given, None).payments


@pytest.mark.parametrize("missing", ["COMMEOW_DATABASE_URL", "COMMEOW_REDIS_URL", "COMMEOW_SECRET"])
def test_an_engine_by_itself_needs_its_stores(missing):
    given = {"COMMEOW_DATABASE_URL": "postgresql://h/d", "COMMEOW_REDIS_URL": "redis://h", "COMMEOW_SECRET": SECRET}
    stores = read(given, None).require_stores()

    assert ("postgresql://h/d", "redis://h", SECRET.encode()) == (stores.database_url, stores.redis_url, stores.secret)

    del given[missing]
    with pytest.raises(SettingsError) as refused:
        read(given, None).require_stores()

    assert missing == refused.value.key


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)
    return tmp_path


def test_the_file_is_read_where_we_stand(here, monkeypatch):
    assert 8080 == from_environment().http_port

    (here / settings.FILE_NAME).write_text("COMMEOW_HTTP_PORT = 81\nCOMMEOW_RTMP_PORT = 82")
    monkeypatch.setenv("COMMEOW_RTMP_PORT", "83")

    assert (81, 83) == (from_environment().http_port, from_environment().rtmp_port)


def test_a_file_that_is_no_text_is_one_line(here):
    (here / settings.FILE_NAME).write_bytes(b"\xff")
    with pytest.raises(SettingsError) as refused:
        from_environment()

    assert settings.FILE_NAME == refused.value.key


def test_the_ffmpeg_of_the_setting_must_run(here):
    program = here / "ffmpeg"
    program.write_text("#!/bin/sh\n")
    with pytest.raises(SettingsError) as refused:
        find_ffmpeg(Settings(ffmpeg=str(program)))

    assert str(program) in str(refused.value)

    program.chmod(0o755)

    assert str(program) == find_ffmpeg(Settings(ffmpeg=str(program)))


def test_without_the_setting_the_wheels_ffmpeg_is_used():
    assert os.access(find_ffmpeg(Settings()), os.X_OK)


def test_without_wheel_and_system_there_is_none(here, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "imageio_ffmpeg", None)
    monkeypatch.setenv("PATH", str(here))

    assert find_ffmpeg(Settings()) is None
