"""Shell: refresh tokens on a real Valkey: rotation, two tabs at once, theft, and the end of a login."""

from __future__ import annotations

import asyncio
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.errors import StoreUnavailable
from db.login import LoginUnknown
from db.pool import open_redis
from db.refresh_tokens import (
    FAMILIES_MAX,
    GRACE_SECONDS,
    IDLE_SECONDS,
    LIFETIME_SECONDS_MAX,
    PEPPER_BYTES_MIN,
    RefreshError,
    RefreshInvalid,
    RefreshReused,
    RefreshTokens,
)

PEPPER = b"p" * PEPPER_BYTES_MIN
BLIND = RefreshTokens(open_redis("redis://127.0.0.1:1"), PEPPER)  # with nobody there


@pytest.fixture
def tokens(redis) -> RefreshTokens:
    return RefreshTokens(redis, PEPPER)


def key(token: str) -> str:
    return f"commeow:refresh:{{{token.partition('.')[0]}}}"


async def pass_seconds(redis, token: str, seconds: float) -> None:
    """Let time pass for a login without waiting for it: its latest rotation moves into the past."""
    await redis.hincrby(key(token), "t", round(-seconds * 1000))


async def test_a_token_is_good_once_and_its_successor_next(tokens):
    first = await tokens.issue(7)

    member_id, second = await tokens.rotate(first)
    assert (7, True) == (member_id, second != first)
    member_id, third = await tokens.rotate(second)
    assert (7, 3) == (member_id, len({first, second, third}))


async def test_two_logins_have_nothing_in_common(tokens):
    one, other = await tokens.issue(7), await tokens.issue(7)
    await tokens.revoke(one)

    with pytest.raises(RefreshInvalid, match="invalid"):
        await tokens.rotate(one)
    assert 7 == (await tokens.rotate(other))[0]


async def test_twenty_tabs_at_once_get_one_successor(tokens):
    token = await tokens.issue(7)

    answers = await asyncio.gather(*(tokens.rotate(token) for _ in range(20)))

    assert 1 == len(set(answers))
    assert 7 == (await tokens.rotate(answers[0][1]))[0]


async def test_within_the_grace_the_answer_can_be_asked_again_and_after_it_that_is_theft(redis, tokens):
    first = await tokens.issue(7)
    _, second = await tokens.rotate(first)
    await pass_seconds(redis, first, GRACE_SECONDS - 1)
    assert (7, second) == await tokens.rotate(first)

    await pass_seconds(redis, first, 1.1)

    with pytest.raises(RefreshReused, match="revoked"):
        await tokens.rotate(first)
    with pytest.raises(RefreshInvalid):
        await tokens.rotate(second)  # the good holder too: nobody knows which of the two it is


async def test_what_is_two_back_is_theft_even_within_the_grace(tokens):
    first = await tokens.issue(7)
    _, second = await tokens.rotate(first)
    _, third = await tokens.rotate(second)

    with pytest.raises(RefreshReused):
        await tokens.rotate(first)
    for token in (first, second, third):
        with pytest.raises(RefreshInvalid):
            await tokens.rotate(token)


async def test_a_rotation_that_the_store_forgot_is_made_again(redis, tokens):
    first = await tokens.issue(7)
    _, second = await tokens.rotate(first)
    await redis.hincrby(key(first), "g", -1)  # as after a kill, with the last second's writes lost

    member_id, third = await tokens.rotate(second)

    assert (7, True) == (member_id, third.split(".")[1] == "3")
    assert (7, third) == await tokens.rotate(second)


async def test_a_login_ends_when_it_is_not_used_and_at_last_in_any_case(redis, tokens):
    token = await tokens.issue(7)
    assert IDLE_SECONDS - 5 <= await redis.ttl(key(token)) <= IDLE_SECONDS
    _, token = await tokens.rotate(token)
    assert IDLE_SECONDS - 5 <= await redis.ttl(key(token)) <= IDLE_SECONDS

    ends = int(await redis.hget(key(token), "x"))
    await redis.hset(key(token), "x", ends - (LIFETIME_SECONDS_MAX - 60) * 1000)
    _, token = await tokens.rotate(token)
    assert 0 < await redis.ttl(key(token)) <= 60

    await redis.hset(key(token), "x", 1)
    with pytest.raises(RefreshInvalid):
        await tokens.rotate(token)
    assert not await redis.exists(key(token))


async def test_a_logout_takes_any_generation_and_never_complains(tokens):
    first = await tokens.issue(7)
    _, second = await tokens.rotate(first)
    await tokens.revoke(first)

    with pytest.raises(RefreshInvalid):
        await tokens.rotate(second)
    await tokens.revoke(second)
    await tokens.revoke("nonsense")
    await tokens.revoke("")


async def test_log_out_everywhere_ends_ones_own_logins_only(tokens):
    mine = [await tokens.issue(7) for _ in range(3)]
    other = await tokens.issue(8)

    await tokens.revoke_all(7)
    await tokens.revoke_all(9)

    for token in mine:
        with pytest.raises(RefreshInvalid):
            await tokens.rotate(token)
    assert 8 == (await tokens.rotate(other))[0]


async def test_the_oldest_login_ends_when_there_are_too_many(tokens):
    issued = [await tokens.issue(7) for _ in range(FAMILIES_MAX)]
    _, kept = await tokens.rotate(issued[0])
    # Those begun in one millisecond are ended in any order, but no more than need be.
    issued += [await tokens.issue(7) for _ in range(FAMILIES_MAX)]

    alive = 0
    for token in [kept, *issued[1:]]:
        try:
            await tokens.rotate(token)
        except RefreshInvalid:
            continue
        alive += 1
    assert FAMILIES_MAX == alive


async def test_a_login_that_ended_by_itself_is_no_longer_listed(redis, tokens):
    old = await tokens.issue(7)
    await redis.zadd("commeow:logins:{7}", {old.partition(".")[0]: 1})
    await tokens.issue(7)

    assert 1 == await redis.zcard("commeow:logins:{7}")
    assert 0 < await redis.ttl("commeow:logins:{7}") <= LIFETIME_SECONDS_MAX


async def test_a_forged_token_never_reaches_the_store(tmp_path, tokens):
    token = await tokens.issue(7)
    family, _, signature = token.split(".")
    nowhere = open_redis(f"unix://{tmp_path}/nobody")
    blind = RefreshTokens(nowhere, PEPPER)

    for forged in (
        "",
        "..",
        family,
        f"{family}.2.{signature}",
        f"{family}.01.{signature}",
        f"{family}.1.{signature}=",
        f"{family[::-1]}.1.{signature}",
        f"{token}\n",
        f" {token}",
        await RefreshTokens(tokens._redis, os.urandom(32)).issue(7),
    ):
        with pytest.raises(RefreshInvalid):
            await blind.rotate(forged)
    with pytest.raises(StoreUnavailable):
        await blind.rotate(token)
    with pytest.raises(StoreUnavailable):
        await blind.revoke(token)
    with pytest.raises(StoreUnavailable):
        await blind.issue(7)
    with pytest.raises(StoreUnavailable):
        await blind.revoke_all(7)
    await nowhere.aclose()


@given(st.text() | st.from_regex(r"[A-Za-z0-9_-]{22}\.[1-9][0-9]{0,9}\.[A-Za-z0-9_-]{43}", fullmatch=True))
def test_any_text_is_invalid_in_one_way(text):
    with pytest.raises(RefreshError):
        BLIND._read(text)


def test_a_short_pepper_is_refused_at_the_start():
    RefreshTokens(open_redis("redis://127.0.0.1:1"), b"p" * 32)
    with pytest.raises(ValueError, match="31 bytes, at least 32"):
        RefreshTokens(open_redis("redis://127.0.0.1:1"), b"p" * 31)


async def test_a_login_has_one_name_through_all_generations(redis):
    tokens = RefreshTokens(redis, b"p" * 32)
    first, other = await tokens.issue(7), await tokens.issue(7)
    _, second = await tokens.rotate(first)

    assert tokens.login_of(first) == tokens.login_of(second) != tokens.login_of(other)
    assert tokens.login_of(first) not in first
    with pytest.raises(RefreshInvalid):
        tokens.login_of(first[:-1] + ("A" if first[-1] != "A" else "B"))


async def test_a_login_lives_until_it_is_revoked_reused_or_another_members(redis, tokens):
    first, other = await tokens.issue(7), await tokens.issue(7)
    name = tokens.login_of(first)
    assert await tokens.lives(7, name)
    assert not await tokens.lives(8, name)
    assert not await tokens.lives(7, "")

    _, second = await tokens.rotate(first)
    assert await tokens.lives(7, name)
    await pass_seconds(redis, first, GRACE_SECONDS + 1)
    with pytest.raises(RefreshReused):
        await tokens.rotate(first)
    assert not await tokens.lives(7, name)

    await tokens.revoke(other)
    assert not await tokens.lives(7, tokens.login_of(other))
    await tokens.revoke(second)
    assert not await tokens.lives(7, name)


async def test_logins_are_listed_by_name_and_the_latest_used_comes_first(redis, tokens):
    first, second = await tokens.issue(7, "Chrome/Android"), await tokens.issue(7, "Firefox/Linux")
    await tokens.issue(8, "Safari/macOS")
    await pass_seconds(redis, first, 60)

    later, earlier = await tokens.logins(7)

    assert ("Firefox/Linux", "Chrome/Android") == (later.device, earlier.device)
    assert (tokens.login_of(second), tokens.login_of(first)) == (later.name, earlier.name)
    assert abs((later.used_at - later.began_at).total_seconds()) < 0.01
    assert 60 == round((earlier.began_at - earlier.used_at).total_seconds())
    assert first not in str([later, earlier])


async def test_a_login_that_was_revoked_or_forgotten_is_not_listed(redis, tokens):
    stolen, idle = await tokens.issue(7), await tokens.issue(7)
    _, heir = await tokens.rotate(stolen)
    await tokens.rotate(heir)
    with pytest.raises(RefreshReused):
        await tokens.rotate(stolen)
    await redis.delete(key(idle))

    assert [] == await tokens.logins(7)
    assert [] == await tokens.logins(9)


async def test_one_login_is_ended_by_its_name_and_by_its_member_only(tokens):
    one, other = await tokens.issue(7), await tokens.issue(7)
    name = tokens.login_of(one)
    with pytest.raises(LoginUnknown):
        await tokens.end(8, name)

    await tokens.end(7, name)

    with pytest.raises(LoginUnknown):
        await tokens.end(7, name)
    with pytest.raises(RefreshInvalid):
        await tokens.rotate(one)
    assert 7 == (await tokens.rotate(other))[0]


async def test_all_logins_but_one_are_ended_and_named(tokens):
    one, other, kept = [await tokens.issue(7) for _ in range(3)]

    ended = await tokens.revoke_all(7, keep=tokens.login_of(kept))

    assert {tokens.login_of(one), tokens.login_of(other)} == set(ended)
    assert [tokens.login_of(kept)] == [login.name for login in await tokens.logins(7)]
