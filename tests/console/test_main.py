"""The verbs of the desk, as an operator or a script calls them."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta
from unittest.mock import ANY
from uuid import uuid4

import pytest

from console.__main__ import main, parser
from db.channel import hash_stream_key
from db.channels import Channels
from db.ledger import Ledger
from db.members import Members
from db.order import Links, State
from db.orders import Orders
from db.product import product
from db.refresh_tokens import RefreshInvalid, RefreshTokens
from routes.passwords import Passwords
from routes.settings import SECRET_BYTES_MIN
from routes.tokens import derive

SECRET = "s" * SECRET_BYTES_MIN
VERBS = ("up", "doctor", "migrate", "members", "key", "ledger", "orders", "version")


@pytest.fixture
def desk(commeow):
    return commeow


def test_help_lists_every_verb_with_its_line(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    lines = capsys.readouterr().out.splitlines()

    assert 0 == ended.value.code
    for verb in VERBS:
        assert any(line.split()[:1] == [verb] and len(line.split()) > 2 for line in lines), verb


@pytest.mark.parametrize("words", [["danse"], ["members"], ["members", "grant", "nabi", "many"], ["ledger", "burn"]])
def test_a_wrong_word_is_refused_with_the_right_ones(capsys, words):
    with pytest.raises(SystemExit) as ended:
        main(words)

    assert 2 == ended.value.code
    assert "usage" in capsys.readouterr().err


def test_no_word_starts_the_house():
    assert parser().parse_args([]).verb is None


def test_the_version_is_printed(capsys):
    assert 0 == main(["version"])
    assert capsys.readouterr().out.startswith("version")

    main(["version", "--json"])
    assert {"version"} == set(json.loads(capsys.readouterr().out))


async def test_a_member_is_added_who_can_log_in_and_publish(desk, pool):
    code, printed, complained = await desk("members", "add", "nabi", "나비", "--json")
    said = json.loads(printed)
    credentials = await Members(pool).credentials("nabi")
    passwords = Passwords()

    assert (0, "") == (code, complained)
    assert "나비" == said["nickname"]
    assert await passwords.verify(credentials.password_hash, said["password"])
    channel = await Channels(pool).by_stream_key_hash(hash_stream_key(said["stream_key"]))
    assert channel.id == credentials.member.id
    assert "rtmp://127.0.0.1:1935/live" == said["stream_server"]
    passwords.close()


async def test_a_password_may_come_from_a_script(desk, pool):
    code, printed, _ = await desk("members", "add", "nabi", "nabi", "--password-stdin", typed="meow meow meow\n")
    passwords = Passwords()

    assert 0 == code
    assert "password" not in printed
    assert await passwords.verify((await Members(pool).credentials("nabi")).password_hash, "meow meow meow")
    passwords.close()


@pytest.mark.parametrize("words", [("n", "nabi"), ("nabi", "n!"), ("nabi", "admin")])
async def test_a_member_that_cannot_be_is_one_line(desk, words):
    code, _, complained = await desk("members", "add", *words)

    assert 1 == code
    assert 1 == len(complained.splitlines())


async def test_a_name_that_is_taken_is_one_line(desk):
    await desk("members", "add", "nabi", "nabi")
    code, _, complained = await desk("members", "add", "nabi", "mimi")

    assert 1 == code
    assert 1 == len(complained.splitlines())


async def test_points_are_granted_with_a_reason_and_the_books_balance(desk, pool):
    await desk("members", "add", "nabi", "nabi")
    first = await desk("members", "grant", "nabi", "700", "--reason", "a prize", "--json")
    second = await desk("members", "grant", "nabi", "300", "--json")
    member = await Members(pool).by_nickname("nabi")

    assert {"nickname": "nabi", "granted": 700, "balance": 700, "id": ANY} == json.loads(first[1])
    again = await desk("members", "grant", "nabi", "300", "--id", json.loads(second[1])["id"], "--json")
    assert 1000 == json.loads(again[1])["balance"]
    assert 1000 == json.loads(second[1])["balance"]
    assert 1000 == (await Ledger(pool).balance(member.id)).points
    assert (0, "the books balance\n", "") == await desk("ledger", "audit")
    assert {"balanced": True, "findings": []} == json.loads((await desk("ledger", "audit", "--json"))[1])


async def test_orders_that_hang_are_looked_up_and_all_are_counted(desk, pool):
    await desk("members", "add", "nabi", "nabi")
    member = await Members(pool).by_nickname("nabi")
    orders = Orders(pool)
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    begun = await orders.create(uuid4(), member.id, product("100"), provider="sandbox", cid="T", now=long_ago)
    hangs = await orders.create(uuid4(), member.id, product("100"), provider="sandbox", cid="T", now=long_ago)
    hangs = await orders.readied(hangs, "T1", Links("pc", "mobile", "app"), long_ago)
    hangs, _ = await orders.returned(hangs, "token", long_ago)

    # No house runs, so nobody answers for the payment that hangs: it waits, and the other is over.
    said = json.loads((await desk("orders", "reconcile", "--json"))[1])

    assert {"looked_at": 2, "approving": 1, "expired": 1, "left_behind": {}, "practice_points": 0} == said
    assert State.EXPIRED is (await orders.get(begun.id)).state
    assert (0, "looked at  1\napproving  1\nexpired    1\n", "") == await desk("orders", "reconcile")
    assert 2 == (await orders.get(hangs.id)).checks


@pytest.mark.parametrize("words", [("grant", "nobody", "1"), ("grant", "nabi", "0"), ("ban", "nobody")])
async def test_what_cannot_be_granted_or_banned_is_one_line(desk, words):
    await desk("members", "add", "nabi", "nabi")
    code, _, complained = await desk("members", *words)

    assert 1 == code
    assert 1 == len(complained.splitlines())


async def test_the_banned_are_out_everywhere(desk, pool, redis):
    await desk("members", "add", "nabi", "nabi")
    member = await Members(pool).by_nickname("nabi")
    tokens = RefreshTokens(redis, derive(SECRET.encode(), "refresh token"))
    token = await tokens.issue(member.id)
    code, _, _ = await desk("members", "ban", "nabi")

    assert 0 == code
    assert await Members(pool).is_banned(member.id)
    with pytest.raises(RefreshInvalid):
        await tokens.rotate(token)


async def test_a_rotated_key_is_the_only_one(desk, pool):
    old = json.loads((await desk("members", "add", "nabi", "nabi", "--json"))[1])["stream_key"]
    code, printed, _ = await desk("key", "rotate", "nabi", "--json")
    channels = Channels(pool)

    assert 0 == code
    assert await channels.by_stream_key_hash(hash_stream_key(old)) is None
    assert await channels.by_stream_key_hash(hash_stream_key(json.loads(printed)["stream_key"])) is not None


async def test_an_empty_database_is_migrated_when_told(desk, empty_database_url, monkeypatch):
    monkeypatch.setenv("COMMEOW_DATABASE_URL", empty_database_url)
    code, _, complained = await desk("ledger", "audit")

    assert 1 == code
    assert "migrate" in complained

    first = json.loads((await desk("migrate", "--json"))[1])
    second = json.loads((await desk("migrate", "--json"))[1])

    assert first["applied"]
    assert [] == second["applied"]
    assert 0 == (await desk("ledger", "audit"))[0]


async def test_the_desk_leaves_nothing_behind_where_the_stores_are_given(desk, given):
    await desk("members", "add", "nabi", "nabi")

    assert not given.exists()


def test_the_desk_starts_the_embedded_stores_for_a_moment(bare, capsys):
    assert 0 == main(["members", "add", "nabi", "nabi"])
    assert 0 == main(["members", "grant", "nabi", "5", "--json"])
    assert 0 == main(["ledger", "audit"])
    assert "the books balance" in capsys.readouterr().out
    assert not list(bare.rglob("postmaster.pid"))


@pytest.mark.parametrize(
    ("key", "value"), [("COMMEOW_HTTP_PORT", "eighty"), ("COMMEOW_DATABASE_URL", "postgresql://me@127.0.0.1:1/nothing")]
)
def test_what_is_wrong_is_one_line_and_nothing_is_made(bare, monkeypatch, capsys, key, value):
    monkeypatch.setenv(key, value)
    monkeypatch.setenv("COMMEOW_REDIS_URL", "redis://127.0.0.1:1")
    monkeypatch.setenv("COMMEOW_SECRET", SECRET)
    code = main(["ledger", "audit"])
    complained = capsys.readouterr().err

    assert 1 == code
    assert key in complained
    assert 1 == len(complained.splitlines())
    assert not bare.exists()


def test_the_doctor_finds_this_machine_well(bare, capsys, monkeypatch, free_port):
    for key in ("COMMEOW_HTTP_PORT", "COMMEOW_RSOCKET_PORT", "COMMEOW_RTMP_PORT"):
        monkeypatch.setenv(key, str(free_port()))
    code = main(["doctor", "--json"])
    findings = {finding["name"]: finding for finding in json.loads(capsys.readouterr().out)}

    assert 0 == code, findings
    assert {"ports", "ffmpeg", "database", "redis", "clock", "disk", "voice", "chromium"} == set(findings)
    assert not bare.exists()

    assert 0 == main(["doctor"])
    assert len(findings) == len(capsys.readouterr().out.splitlines())


def test_the_doctor_names_what_mends_it(bare, capsys, monkeypatch, tmp_path):
    bare.write_text("")
    monkeypatch.setenv("COMMEOW_FFMPEG", str(tmp_path / "no-ffmpeg"))
    monkeypatch.setenv("COMMEOW_DATABASE_URL", "postgresql://me@127.0.0.1:1/nothing")
    with socket.create_server(("127.0.0.1", 0)) as occupant:
        monkeypatch.setenv("COMMEOW_HTTP_PORT", str(occupant.getsockname()[1]))
        code = main(["doctor", "--json"])
    findings = {finding["name"]: finding for finding in json.loads(capsys.readouterr().out)}

    assert 1 == code
    for name, word in {
        "ports": "COMMEOW_HTTP_PORT",
        "ffmpeg": "COMMEOW_FFMPEG",
        "stores": "COMMEOW_DATABASE_URL",
        "disk": "COMMEOW_DATA",
    }.items():
        assert not findings[name]["ok"]
        assert word in findings[name]["words"]
