from __future__ import annotations

from typing import Any

import pytest

from rsocket_server.doors import Caller, Door, HandlerTimeout, MembersOnly, Model, RouteUnknown, table


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
