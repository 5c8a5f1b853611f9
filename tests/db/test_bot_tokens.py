import asyncio

import pytest

from db import bot_tokens as module
from db.bot_token import BotTokensTooMany, BotTokenUnknown, hash_bot_token
from db.bot_tokens import BotTokens
from db.member import Member

READ = frozenset({"chat:read"})


@pytest.fixture
def tokens(pool):
    return BotTokens(pool)


async def _add(tokens, member_id, token="one", **changed):
    given = {"name": token, "scopes": READ, "token_hash": hash_bot_token(token)}
    return await tokens.add(member_id, **{**given, **changed})


async def test_a_token_lets_its_members_program_in_with_its_scopes(tokens, people, pool):
    (nabi,) = await people(1)
    added = await _add(tokens, nabi, scopes=frozenset({"chat:read", "chat:write"}))
    nickname = await pool.fetchval("SELECT nickname FROM member")
    assert (await tokens.list(nabi))[0].used_at is None

    bot = await tokens.find(hash_bot_token("one"))

    assert bot.member == Member(id=nabi, nickname=nickname, roles=frozenset())
    assert (bot.token_id, bot.scopes) == (added.id, {"chat:read", "chat:write"})
    (listed,) = await tokens.list(nabi)
    assert (listed.id, listed.name, listed.scopes) == (added.id, "one", bot.scopes)
    assert listed.used_at is not None
    assert await tokens.find(hash_bot_token("two")) is None


async def test_a_revoked_token_is_none_and_is_told_for_a_while(tokens, people, pool):
    nabi, mimi = await people(2)
    one, two, hers = await _add(tokens, nabi), await _add(tokens, nabi, "two"), await _add(tokens, mimi, "hers")

    for _ in range(2):
        await tokens.revoke(nabi, one.id)

    assert await tokens.find(hash_bot_token("one")) is None
    assert [each.id for each in await tokens.list(nabi)] == [two.id]
    assert await tokens.revoked_within(60.0) == {one.id}
    with pytest.raises(BotTokenUnknown):
        await tokens.revoke(nabi, hers.id)
    await tokens.revoke_all(nabi)
    assert await tokens.list(nabi) == []
    assert await tokens.revoked_within(60.0) == {one.id, two.id}
    await pool.execute("UPDATE bot_token SET revoked_at = now() - interval '1 hour' WHERE id = $1", one.id)
    assert await tokens.revoked_within(60.0) == {two.id}
    assert await tokens.find(hash_bot_token("hers"))


@pytest.mark.parametrize("column", ["banned_at", "erased_at"])
async def test_who_is_not_welcome_has_no_bots_either(tokens, people, pool, column):
    (nabi,) = await people(1)
    await _add(tokens, nabi)

    await pool.execute(f"UPDATE member SET {column} = now()")

    assert await tokens.find(hash_bot_token("one")) is None


async def test_one_too_many_is_refused_also_at_once(tokens, people, monkeypatch):
    monkeypatch.setattr(module, "TOKENS_MAX", 3)
    (nabi,) = await people(1)

    results = await asyncio.gather(*(_add(tokens, nabi, str(number)) for number in range(6)), return_exceptions=True)

    assert sum(isinstance(result, BotTokensTooMany) for result in results) == 3
    await tokens.revoke(nabi, (await tokens.list(nabi))[0].id)
    assert await _add(tokens, nabi, "again")
