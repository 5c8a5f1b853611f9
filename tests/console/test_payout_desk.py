"""The verbs on payouts, as an operator or a script calls them."""

from __future__ import annotations

import json
import uuid
from functools import partial

import pytest

from console import payout_desk
from db.errors import StoreUnknown
from db.members import Members


@pytest.fixture
async def desk(commeow, pool):
    member = await Members(pool).add(login_id="nabi_1", nickname="나비", password_hash="-", stream_key_hash=b"\1" * 32)
    async with pool.acquire() as connection, connection.transaction():
        # As if somebody had given them: 300 points of earnings.
        await connection.execute("SELECT grant_points(gen_random_uuid(), $1, 300, 'test')", member.id)
        await connection.execute(
            "SELECT post_transfer($1, $2, 300, 9::smallint)", member.id * 16 + 1, member.id * 16 + 2
        )
    return partial(commeow, "ledger", "payout")


async def test_a_payout_from_its_begin_to_its_end(desk):
    assert (0, "nothing is held\n", "") == await desk("list")
    paid, returned = uuid.uuid4(), uuid.uuid4()
    begun = json.loads((await desk("begin", "나비", 200, "--id", paid, "--note", "November", "--json"))[1])
    assert (str(paid), 200, "held", "November") == tuple(begun[key] for key in ("id", "points", "step", "note"))
    assert 0 == (await desk("begin", "나비", 200, "--id", paid))[0]  # once, however often it is said
    assert 0 == (await desk("begin", "나비", 100, "--id", returned))[0]

    code, printed, _ = await desk("list")
    assert (0, True) == (code, printed.endswith("300 points held\n"))
    assert {str(paid), str(returned)} == {each["id"] for each in json.loads((await desk("list", "--json"))[1])}
    assert (1, "", "fewer than 1 points in the earnings\n") == await desk("begin", "나비", 1)

    code, printed, _ = await desk("paid", paid, "--note", "17")
    assert (0, True) == (code, "paid  200 points" in printed and "November · 17" in printed)
    assert 0 == (await desk("return", returned))[0]
    assert (1, "", "the payout is paid\n") == await desk("return", paid)
    assert (1, "", f"no such payout: {uuid.UUID(int=7)}\n") == await desk("paid", uuid.UUID(int=7))
    assert 1 == (await desk("begin", "nobody", 1))[0]
    assert (0, "nothing is held\n", "") == await desk("list")


async def test_a_list_that_may_have_left_some_out_says_so(desk, monkeypatch):
    monkeypatch.setattr(payout_desk, "PAYOUTS_MAX", 2)
    for points in (1, 2):
        await desk("begin", "나비", points)

    assert "3 points held by the oldest 2; end some to see others" == (await desk("list"))[1].splitlines()[-1]


async def test_who_does_not_know_whether_it_happened_is_told_the_id(desk, monkeypatch):
    class Unheard:
        def __init__(self, pool):
            pass

        async def begin(self, payout_id, *_):
            raise StoreUnknown("the line broke")

    monkeypatch.setattr(payout_desk, "Payouts", Unheard)
    payout_id = uuid.uuid4()

    code, _, complained = await desk("begin", "나비", 1, "--id", payout_id)

    assert (1, True) == (code, f"repeat it with --id {payout_id}" in complained)
