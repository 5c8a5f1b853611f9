import asyncio

import pytest

from db.emote import EMOTES_MAX, Emote, EmotesTooMany, EmoteUnknown, hash_picture
from db.emotes import Emotes
from db.member import MemberUnknown
from db.members import Members


def _emote(code, data=b"x"):
    return Emote(code=code, hash=hash_picture(data), media_type="image/png", width=28, height=28)


@pytest.fixture
def emotes(pool):
    return Emotes(pool)


async def test_a_channel_has_its_own_by_their_codes(emotes, people):
    mine, another = await people(2)
    for code in ("paw", "cat"):
        await emotes.put(mine, _emote(code), b"x")

    assert await emotes.of(mine) == [_emote("cat"), _emote("paw")]
    assert await emotes.of(another) == []


async def test_a_code_takes_another_picture_and_goes(emotes, people):
    (mine,) = await people(1)
    await emotes.put(mine, _emote("cat"), b"x")
    await emotes.put(mine, _emote("cat", b"y"), b"y")

    assert await emotes.of(mine) == [_emote("cat", b"y")]
    assert await emotes.picture(hash_picture(b"y")) == ("image/png", b"y")
    with pytest.raises(EmoteUnknown):
        await emotes.picture(hash_picture(b"x"))
    await emotes.remove(mine, "cat")
    with pytest.raises(EmoteUnknown):
        await emotes.remove(mine, "cat")


@pytest.mark.parametrize("many", [EMOTES_MAX])
async def test_so_many_and_no_more_also_at_once(emotes, people, many):
    (mine,) = await people(1)
    results = await asyncio.gather(
        *(emotes.put(mine, _emote(f"c{number}"), b"x") for number in range(many + 3)), return_exceptions=True
    )

    assert [type(result) for result in results if result] == [EmotesTooMany] * 3
    kept = await emotes.of(mine)
    assert len(kept) == many
    await emotes.put(mine, _emote(kept[0].code, b"z"), b"z")  # One that is there may still change.


async def test_who_leaves_takes_them_along(emotes, people, pool):
    (mine,) = await people(1)
    await emotes.put(mine, _emote("cat"), b"x")

    await Members(pool).erase(mine)
    with pytest.raises(MemberUnknown):  # One that was on its way.
        await emotes.put(mine, _emote("dog"), b"x")

    assert await emotes.of(mine) == []
