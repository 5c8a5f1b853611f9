"""Shell: where a member may have left words."""

from __future__ import annotations

from db.follows import Follows
from db.footprints import Footprints
from db.members import Members


async def test_ones_own_room_and_those_followed_given_to_or_moderated(pool, people, ledger, gift):
    own, followed, given, moderated, _other = await people(5, 100)
    names = {row["id"]: row["nickname"] for row in await pool.fetch("SELECT id, nickname FROM member")}
    await Follows(pool).add(own, followed)
    await pool.execute("INSERT INTO channel_moderator (channel_id, member_id) VALUES ($1, $2)", moderated, own)
    await ledger.give(gift(own, given, 10), b"{}")

    rooms = await Footprints(pool).rooms(own)

    assert {number: names[number] for number in (own, followed, given, moderated)} == rooms
    assert own == next(iter(rooms))


async def test_who_has_left_has_no_room(pool, people):
    own, gone = await people(2)
    await Follows(pool).add(own, gone)
    await Members(pool).erase(gone)

    assert [own] == list(await Footprints(pool).rooms(own))
