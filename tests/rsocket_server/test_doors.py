from __future__ import annotations

from typing import Any

import pytest

from rsocket_server.doors import (
    Badge,
    Caller,
    Door,
    HandlerTimeout,
    MembersOnly,
    Model,
    RouteUnknown,
    ScopeMissing,
    table,
)
from tests.rsocket_server.script import NABI


async def handle(_caller: Any, _data: bytes) -> None: ...


def test_a_table_finds_doors_by_model_and_route() -> None:
    say, forget = Door("say", "response", True, handle), Door("say", Model.FIRE_AND_FORGET, True, handle)

    assert {(Model.RESPONSE, "say"): say, (Model.FIRE_AND_FORGET, "say"): forget} == table([say, forget])


def test_two_doors_of_one_route_are_our_mistake() -> None:
    with pytest.raises(AssertionError):
        table([Door("say", "response", True, handle), Door("say", "response", False, handle)])


def test_a_model_that_does_not_exist_is_our_mistake() -> None:
    with pytest.raises(ValueError, match="push"):
        table([Door("say", "push", True, handle)])


def test_a_caller_whispers_to_its_own_connection() -> None:
    heard: list[tuple[int, bytes]] = []
    Caller(None, "c", lambda room, payload: heard.append((room, payload))).whisper(3, b"x")

    assert heard == [(3, b"x")]


def test_errors_have_words_and_a_route_is_cut_short() -> None:
    assert len(str(RouteUnknown("x" * 10_000))) < 100
    assert str(MembersOnly()) == "members only"
    assert str(HandlerTimeout()) == "no answer in time"
    assert "chat:write" in str(ScopeMissing("chat:write"))
    assert "bots" in str(ScopeMissing(None))


def test_a_badge_says_who_it_is_and_how_long() -> None:
    caller = Caller(None, "c", lambda _room, _payload: None)
    assert (caller.member, caller.ends_at) == (None, None)

    caller.admit(Badge(NABI, seconds=600.0), 100.0)
    assert (caller.member, caller.ends_at) == (NABI, 700.0)

    caller.admit(Badge(NABI), 200.0)
    assert caller.ends_at is None


MEMBER, BOT, DEAF_BOT = (Badge(NABI, scopes=scopes) for scopes in (None, frozenset({"chat:write"}), frozenset()))


@pytest.mark.parametrize(
    ("members_only", "scope", "may"),
    [
        (False, None, [None, MEMBER, BOT, DEAF_BOT]),
        (True, None, [MEMBER]),
        (True, "chat:write", [MEMBER, BOT]),
        (False, "chat:write", [None, MEMBER, BOT]),
    ],
)
def test_who_may_go_through_a_door(members_only: bool, scope: str | None, may: list[Badge | None]) -> None:
    door = Door("say", "response", members_only, handle, scope)
    passed: list[Badge | None] = []
    for badge in (None, MEMBER, BOT, DEAF_BOT):
        try:
            Caller(badge, "c", lambda _room, _payload: None).check(door)
        except MembersOnly:
            assert badge is None
        except ScopeMissing:
            assert badge is not None
        else:
            passed.append(badge)

    assert may == passed
