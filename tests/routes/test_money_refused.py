"""Bad input at every door through which money could move: a stable code each, and no row of the books is another."""

import json
import uuid

import pytest

from db.order import LIFETIME, State
from db.transfer import POINTS_MAX

# Where money stands. What a refusal leaves on record (a donation's id is spent) is said where it is.
BOOKS = ("account", "transfer", "alert", "refund", "point_grant", "point_order_transfer", "payout", "payout_step")


@pytest.fixture
def rows(pool):
    """A function: all rows of these tables, as text."""

    async def read(*tables):
        return {
            table: [row["t"] for row in await pool.fetch(f"SELECT t::text FROM {table} t ORDER BY t::text")]
            for table in tables
        }

    return read


GIFTS = [
    ("zero", {"points": 0}, "points.amount"),
    ("negative", {"points": -100}, "points.amount"),
    ("negative and huge", {"points": -(2**63)}, "points.amount"),
    ("one too many", {"points": POINTS_MAX + 1}, "points.amount"),
    ("huge", {"points": 2**62}, "points.amount"),
    ("no machine's number", {"points": 2**64}, "wire.shape"),
    ("fractional", {"points": 0.5}, "wire.shape"),
    ("fractional above one", {"points": 100.5}, "wire.shape"),
    ("a float past all integers", {"points": 1e300}, "wire.shape"),
    ("a string", {"points": "100"}, "wire.shape"),
    ("an empty string", {"points": ""}, "wire.shape"),
    ("a truth", {"points": True}, "wire.shape"),
    ("nothing", {"points": None}, "wire.shape"),
    ("a list", {"points": [100]}, "wire.shape"),
    ("an unknown streamer", {"channel": "nobody"}, "channel.unknown"),
    ("no streamer's name", {"channel": "../../나비"}, "channel.unknown"),
    ("oneself", {"channel": "나비"}, "points.self"),
    ("another's purse", {"donor": "rich"}, "wire.shape"),
    ("an id that is none", {"id": "1"}, "wire.shape"),
]


async def test_a_gift_that_is_none_changes_no_row(conversation, new_member, rows):
    await new_member("streamer", live=True)
    await new_member("rich", points=1_000)
    donor = await conversation.connect(await new_member("나비", points=300))
    before = await rows(*BOOKS, "donation")

    for words, change, code in GIFTS:
        gift = {"id": str(uuid.uuid4()), "channel": "streamer", "points": 100, "text": ""} | change
        with pytest.raises(Exception) as refused:
            await donor.call("donation.give", gift)
        assert (words, code) == (words, refused.value.code)

    assert before == await rows(*BOOKS, "donation")


async def test_a_gift_that_the_books_refuse_is_on_record_and_moves_nothing(conversation, new_member, pool, rows):
    """Too few points, off air, a replay, an id for something else: each with its answer, and that again."""
    await new_member("streamer", live=True)
    await new_member("off")
    donor = await conversation.connect(await new_member("나비", points=300))
    given = {"id": str(uuid.uuid4()), "channel": "streamer", "points": 300, "text": ""}
    answer = await donor.call("donation.give", given)
    books = [each for each in BOOKS if each != "alert"]  # The gift's own goes as soon as the room has it.
    before = await rows(*books)
    poor = {**given, "id": str(uuid.uuid4()), "points": 1}
    dark = {**given, "id": str(uuid.uuid4()), "channel": "off"}

    for _ in range(2):
        assert answer == await donor.call("donation.give", given)
        for gift, code in (
            (poor, "points.insufficient"),
            (dark, "channel.off_air"),
            ({**given, "points": 299}, "transfer.id_reused"),
            ({**given, "channel": "off"}, "transfer.id_reused"),
            ({**poor, "points": 2}, "transfer.id_reused"),
        ):
            with pytest.raises(Exception) as refused:
                await donor.call("donation.give", gift)
            assert code == refused.value.code

    assert before == await rows(*books)
    assert [1, 2, 4] == [row["status"] for row in await pool.fetch("SELECT status FROM donation ORDER BY status")]


async def test_an_order_that_is_not_ones_own_or_over_changes_no_row(shop, new_member, bearer, rows):
    nabi, thief = await new_member("나비"), await new_member("thief")
    waiting, paid = await shop.place(nabi.id), await shop.place(nabi.id, "300")
    back = await shop.agree(paid)
    await shop.top_ups.returned(paid.id, back)
    late = await shop.place(nabi.id)
    await shop.agree(late)
    shop.clock.forward(seconds=LIFETIME.total_seconds())
    await shop.top_ups.reconcile()
    assert State.EXPIRED is (await shop.orders.get(late.id)).state
    waiting = await shop.place(nabi.id)
    before = await rows(*BOOKS, "point_order", "sandbox_payment")

    async def ask(member, method, path, body=None):
        headers = bearer(member.id, member.nickname) if member else {}
        async with shop.http.request(
            method, f"{shop.url}/api/points/orders{path}", json=body, headers=headers, allow_redirects=False
        ) as answer:
            text = await answer.text()
            return json.loads(text)["code"] if text else answer.headers["Location"].partition("code=")[2]

    for member, method, path, body, code in (
        (thief, "GET", f"/{paid.id}", None, "order.unknown"),
        (thief, "GET", f"/{uuid.uuid4()}", None, "order.unknown"),
        (thief, "POST", f"/{paid.id}/refund", None, "order.unknown"),
        (thief, "POST", "", {"id": str(waiting.id), "product": "100"}, "order.id_reused"),
        (nabi, "POST", "", {"id": str(waiting.id), "product": "2000"}, "order.id_reused"),
        (nabi, "POST", "", {"id": str(uuid.uuid4()), "product": "100", "amount_won": 1}, "wire.shape"),
        (nabi, "POST", "", {"id": str(uuid.uuid4()), "product": "-100"}, "order.product"),
        (nabi, "POST", f"/{late.id}/refund", None, "order.state"),
        (nabi, "POST", f"/{waiting.id}/refund", None, "order.state"),
        (None, "GET", f"/{late.id}/return?pg_token={back}", None, "order.expired"),
        (None, "GET", f"/{paid.id}/return?pg_token={back}", None, ""),  # a replay: it is paid, and stays so
        (None, "GET", f"/{paid.id}/return?pg_token=forged", None, ""),
        (None, "GET", f"/{waiting.id}/return", None, "wire.shape"),
        (None, "GET", f"/{waiting.id}/return?pg_token=%00", None, "wire.shape"),
        (None, "GET", f"/{uuid.uuid4()}/return?pg_token=forged", None, "order.unknown"),
    ):
        assert (path, code) == (path, await ask(member, method, path, body))

    assert before == await rows(*BOOKS, "point_order", "sandbox_payment")
    # A forged token is asked about, so the order knows that it was; the money and its state are as they were.
    assert "order.token" == await ask(None, "GET", f"/{waiting.id}/return?pg_token={back}")
    assert State.READY is (await shop.orders.get(waiting.id)).state
    assert {name: before[name] for name in BOOKS} == await rows(*BOOKS)
    assert (300, 3_500) == (await shop.balance(nabi.id), await shop.money())
