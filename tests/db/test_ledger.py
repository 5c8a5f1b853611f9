"""Shell: the books on a real PostgreSQL. The audit must be clean after each test (the fixture looks)."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter

import asyncpg
import pytest

from db import ledger as ledger_module
from db.errors import StoreUnavailable, StoreUnknown
from db.ledger import ALERT_BYTES_MAX, DONOR_REQUESTS_MAX, Ledger, LedgerBusy
from db.pool import open_pool
from db.transfer import (
    AmountOutOfRange,
    Balance,
    ChannelOffAir,
    Donation,
    DonationToSelf,
    DonationUnknown,
    EarningsShort,
    IdReused,
    InsufficientPoints,
    Receipt,
    StreamerUnknown,
    WalletUnknown,
)


async def give_all(ledger: Ledger, donations: list[Donation]) -> list[Receipt | BaseException]:
    return await asyncio.gather(*(ledger.give(donation, b"{}") for donation in donations), return_exceptions=True)


async def rows(pool: asyncpg.Pool) -> tuple[int, ...]:
    """Count everything that money leaves behind: equal before and after means that nothing moved."""
    row = await pool.fetchrow(
        """
        SELECT (SELECT count(*) FROM transfer), (SELECT count(*) FROM donation), (SELECT count(*) FROM alert),
               (SELECT sum(version) FROM account), (SELECT sum(abs(balance)) FROM account)
        """
    )
    return tuple(int(value) for value in row)


async def test_one_donation_leaves_one_pocket_and_enters_the_other(pool, people, ledger, gift):
    donor, streamer = await people(2, 500)
    given = gift(donor, streamer, 120, "힘내 냥")

    receipt = await ledger.give(given, b'{"kind":"donated"}')

    assert Receipt(given.id, 380, replay=False) == receipt
    assert Balance(points=380, earnings=0) == await ledger.balance(donor)
    assert Balance(points=500, earnings=120) == await ledger.balance(streamer)
    assert (1, 120, b'{"kind":"donated"}', streamer) == tuple(
        await pool.fetchrow("SELECT status, amount, payload, room FROM donation d JOIN alert a ON a.donation_id = d.id")
    )


async def test_a_thousand_members_donate_a_hundred_points_at_once_and_once_more(pool, people, ledger, gift):
    """The original's headline: 92 of 100 donations were lost there."""
    streamer, *donors = await people(1001, 100)
    donations = [gift(donor, streamer) for donor in donors]

    receipts = await give_all(ledger, donations)

    assert [Receipt(given.id, 0, replay=False) for given in donations] == receipts
    assert 100_000 == (await ledger.balance(streamer)).earnings
    before = await rows(pool)

    again = await give_all(ledger, donations)

    assert [Receipt(given.id, 0, replay=True) for given in donations] == again
    assert before == await rows(pool)
    assert 100_000 == (await ledger.balance(streamer)).earnings
    assert [] == await ledger.audit()


async def test_a_thousand_donations_each_sent_twice_at_once(pool, people, ledger, gift):
    streamer, *donors = await people(1001, 1000)
    donations = [gift(donor, streamer) for donor in donors]

    receipts = await give_all(ledger, [*donations, *donations])

    assert Counter({False: 1000, True: 1000}) == Counter(receipt.replay for receipt in receipts)
    assert 100_000 == (await ledger.balance(streamer)).earnings
    assert 1000 == await pool.fetchval("SELECT count(*) FROM alert")


async def test_twenty_clicks_with_points_for_one(people, ledger, gift):
    donor, streamer = await people(2, 100)

    answers = await give_all(ledger, [gift(donor, streamer) for _ in range(20)])

    assert Counter({Receipt: 1, InsufficientPoints: 19}) == Counter(type(answer) for answer in answers)
    assert Balance(points=0, earnings=0) == await ledger.balance(donor)
    assert 100 == (await ledger.balance(streamer)).earnings


async def test_twenty_clicks_through_two_processes_with_points_for_three(people, pool, gift):
    donor, streamer = await people(2, 300)

    async with Ledger(pool) as one, Ledger(pool) as other:
        answers = await asyncio.gather(
            *(ledger.give(gift(donor, streamer), b"{}") for ledger in (one, other) * 10), return_exceptions=True
        )

        assert Counter({Receipt: 3, InsufficientPoints: 17}) == Counter(type(answer) for answer in answers)
        assert 300 == (await one.balance(streamer)).earnings


async def test_a_retry_after_the_wallet_is_empty_hears_what_the_first_try_heard(pool, people, ledger, gift):
    donor, streamer = await people(2, 150)
    first, second = gift(donor, streamer), gift(donor, streamer)
    receipt = await ledger.give(first, b"{}")
    with pytest.raises(InsufficientPoints):
        await ledger.give(second, b"{}")
    before = await rows(pool)

    assert Receipt(first.id, receipt.points_left, replay=True) == await ledger.give(first, b"other alert")

    await ledger.grant(donor, 1000, "a top-up between the tries")
    assert 50 == (await ledger.give(first, b"{}")).points_left
    with pytest.raises(InsufficientPoints):
        await ledger.give(second, b"{}")  # refused once, refused for ever

    transfers, donations, alerts, *_ = await rows(pool)
    assert (before[0] + 1, *before[1:3]) == (transfers, donations, alerts)  # the grant's, and nothing else


async def test_two_who_give_to_each_other_at_once(people, ledger, pool, gift):
    a, b = await people(2, 1000)
    crossing = [gift(*pair, 10) for _ in range(25) for pair in ((a, b), (b, a))]

    async with Ledger(pool) as other:
        answers = await asyncio.gather(
            *((ledger, other)[number % 4 // 2].give(given, b"{}") for number, given in enumerate(crossing))
        )

    assert 50 == len(answers)
    assert Balance(points=750, earnings=250) == await ledger.balance(a)
    assert Balance(points=750, earnings=250) == await ledger.balance(b)


async def test_the_same_id_for_something_else_is_refused_and_moves_nothing(pool, people, ledger, gift):
    donor, streamer, other = await people(3, 500)
    first = gift(donor, streamer, 100, "meow")
    await ledger.give(first, b"{}")
    before = await rows(pool)

    for changed in (
        gift(donor, streamer, 101, "meow", id=first.id),
        gift(donor, other, 100, "meow", id=first.id),
        gift(donor, streamer, 100, "woof", id=first.id),
    ):
        with pytest.raises(IdReused, match=str(first.id)):
            await ledger.give(changed, b"{}")
    assert before == await rows(pool)
    assert (await ledger.give(first, b"{}")).replay


async def test_another_donor_may_have_the_same_id(people, ledger, gift):
    one, other, streamer = await people(3, 100)
    same = uuid.uuid4()

    assert not (await ledger.give(gift(one, streamer, id=same), b"{}")).replay
    assert not (await ledger.give(gift(other, streamer, id=same), b"{}")).replay
    assert 200 == (await ledger.balance(streamer)).earnings


async def test_nobody_to_give_to_and_nobody_who_gives(pool, people, ledger, gift):
    donor, streamer = await people(2, 500)
    unknown = gift(donor, streamer + 1000)

    with pytest.raises(StreamerUnknown):
        await ledger.give(unknown, b"{}")
    with pytest.raises(StreamerUnknown):
        await ledger.give(unknown, b"{}")
    with pytest.raises(WalletUnknown):
        await ledger.give(gift(streamer + 1000, streamer), b"{}")
    with pytest.raises(WalletUnknown):
        await ledger.balance(streamer + 1000)
    assert 500 == (await ledger.balance(donor)).points
    assert 0 == await pool.fetchval("SELECT count(*) FROM alert")


async def test_a_plan_that_went_round_the_rules_meets_them_in_the_database(pool, people, ledger):
    donor, streamer = await people(2, 500)
    before = await rows(pool)

    for points in (0, -100, 1_000_001):
        with pytest.raises(AmountOutOfRange):
            await ledger.give(Donation(uuid.uuid4(), donor, streamer, points, ""), b"{}")
    with pytest.raises(DonationToSelf):
        await ledger.give(Donation(uuid.uuid4(), donor, donor, 1, ""), b"{}")
    assert before == await rows(pool)


async def test_a_poison_row_falls_alone(people, ledger, gift):
    streamer, *donors = await people(65, 100)
    donations = [gift(donor, streamer) for donor in donors]
    poison = {
        7: Donation(uuid.uuid4(), donors[7], streamer, 100, "a NUL \x00"),
        40: Donation(uuid.uuid4(), donors[40], streamer, 100, "half a pair \ud800"),
        41: Donation(uuid.uuid4(), donors[41], 2**62, 100, "an id beyond 64 bits once it is multiplied"),
    }
    for number, given in poison.items():
        donations[number] = given

    answers = await give_all(ledger, donations)

    for number, answer in enumerate(answers):
        assert isinstance(answer, Exception if number in poison else Receipt), number
    assert not any(isinstance(answer, StoreUnavailable) for answer in answers)
    assert 6100 == (await ledger.balance(streamer)).earnings


async def test_off_air_nothing_is_given_and_the_donation_notes_its_broadcast(pool, people, ledger, gift):
    donor, streamer = await people(2, 500, on_air=False)
    before, during, after = gift(donor, streamer), gift(donor, streamer), gift(donor, streamer)
    with pytest.raises(ChannelOffAir):
        await ledger.give(before, b"{}")
    broadcast_id = await pool.fetchval(
        "INSERT INTO broadcast (channel_id, lease_until) VALUES ($1, now() + '1 hour') RETURNING id", streamer
    )
    receipt = await ledger.give(during, b"{}")
    with pytest.raises(ChannelOffAir):  # refused once, refused for ever
        await ledger.give(before, b"{}")
    await pool.execute("UPDATE broadcast SET ended_at = now()")
    with pytest.raises(ChannelOffAir):
        await ledger.give(after, b"{}")

    # What was accepted is answered as before, although nothing is on air any more.
    assert Receipt(during.id, receipt.points_left, replay=True) == await ledger.give(during, b"{}")
    assert [(4, None), (1, broadcast_id), (4, None)] == [
        tuple(row) for row in await pool.fetch("SELECT status, broadcast_id FROM donation ORDER BY id")
    ]
    assert Balance(points=400, earnings=0) == await ledger.balance(donor)
    assert 1 == await pool.fetchval("SELECT count(*) FROM alert")


async def test_a_broadcast_whose_lease_has_run_out_is_off_air(pool, people, ledger, gift):
    donor, streamer = await people(2, 500)
    await pool.execute("UPDATE broadcast SET lease_until = now() WHERE channel_id = $1", streamer)

    with pytest.raises(ChannelOffAir):
        await ledger.give(gift(donor, streamer), b"{}")


async def test_an_anonymous_donor_is_in_the_books_and_on_nobodys_statement(pool, people, ledger, gift):
    donor, streamer = await people(2, 500)
    given = gift(donor, streamer, 100, anonymous=True)
    await ledger.give(given, b"{}")

    with pytest.raises(IdReused):
        await ledger.give(gift(donor, streamer, 100, id=given.id), b"{}")
    assert donor == await pool.fetchval("SELECT donor_id FROM donation")
    [received] = await ledger.donations(streamer)
    assert ("", 100) == (received.nickname, received.points)
    assert [None] == [entry.nickname for entry in await ledger.history(streamer) if entry.account == "earnings"]
    assert (await ledger.history(donor))[0].nickname is not None  # the donor knows whom they gave to


# Refunds.


async def test_a_plan_of_the_first_day_looks_up_what_it_is_asked_for_and_no_more(pool, people, gift):
    """PostgreSQL keeps the plan that it made for empty tables until it has counted them; it must be a good one."""
    streamer, *donors = await people(401, 1_000)
    await pool.execute("VACUUM ANALYZE donation, transfer")

    async def settle(connection, some):
        return await connection.fetch(
            "SELECT * FROM settle_donations($1, $2, $3, $4, $5, $6, $7)",
            *([uuid.uuid4() for _ in some], some, [streamer] * len(some), [1] * len(some)),
            *([""] * len(some), [False] * len(some), [b"{}"] * len(some)),
        )

    async with pool.acquire() as connection, pool.acquire() as other:
        await settle(connection, donors[:1])
        for _ in range(3):
            await settle(other, donors)
        async with connection.transaction():
            rows = await settle(connection, donors[:10])
            read = await connection.fetchrow(
                """
                SELECT sum(idx_tup_fetch) AS by_index, sum(seq_tup_read) AS by_scan
                FROM pg_stat_xact_user_tables WHERE relname IN ('donation', 'transfer')
                """
            )

    assert ["ok"] * 10 == [row["verdict"] for row in rows]
    assert (0, 0) == tuple(read)  # ten new ids: there was nothing to find


async def test_a_refund_goes_back_once_from_where_it_went(pool, people, ledger, gift):
    donor, streamer = await people(2, 500)
    await ledger.give(gift(donor, streamer, 120, "meow"), b"{}")
    [received] = await ledger.donations(streamer)

    answers = await asyncio.gather(*(ledger.refund(received.id, streamer, "sorry") for _ in range(10)))

    assert [0] * 10 == answers
    assert Balance(points=500, earnings=0) == await ledger.balance(donor)
    assert "sorry" == await pool.fetchval("SELECT reason FROM refund")
    [again] = await ledger.donations(streamer)
    assert again.refunded
    names = {row["id"]: row["nickname"] for row in await pool.fetch("SELECT id, nickname FROM member")}
    assert [("refund", 120, 500, names[streamer], "meow"), ("donation", -120, 380, names[streamer], "meow")] == [
        (e.kind, e.points, e.balance_after, e.nickname, e.text) for e in (await ledger.history(donor))[:2]
    ]
    taken = (await ledger.history(streamer))[0]
    assert ("refund", -120, 0, names[donor]) == (taken.kind, taken.points, taken.balance_after, taken.nickname)


async def test_a_refund_needs_the_channels_own_accepted_donation_and_the_earnings(pool, people, ledger, gift):
    donor, streamer, other = await people(3, 500)
    await ledger.give(gift(donor, streamer, 100), b"{}")
    with pytest.raises(InsufficientPoints):
        await ledger.give(gift(donor, streamer, 501), b"{}")
    accepted, refused = [row["id"] for row in await pool.fetch("SELECT id FROM donation ORDER BY id")]
    before = await rows(pool)

    for donation_id, channel_id in ((accepted, other), (refused, streamer), (10**12, streamer)):
        with pytest.raises(DonationUnknown):
            await ledger.refund(donation_id, channel_id, "")
    await pool.execute("SELECT post_transfer($1, 10, 1, 9::smallint)", streamer * 16 + 2)  # paid out meanwhile
    with pytest.raises(EarningsShort):
        await ledger.refund(accepted, streamer, "")
    assert before[1:3] == (await rows(pool))[1:3]


async def test_refunds_and_donations_at_once(people, ledger, gift, pool):
    streamer, *donors = await people(41, 1000)
    given = [gift(donor, streamer, 100) for donor in donors]
    await give_all(ledger, given)
    received = await ledger.donations(streamer)

    await asyncio.gather(
        *(ledger.refund(each.id, streamer, "") for each in received for _ in range(3)),
        *(ledger.give(gift(donor, streamer, 50), b"{}") for donor in donors),
    )

    assert 40 * 50 == (await ledger.balance(streamer)).earnings
    assert [950] * 40 == [(await ledger.balance(donor)).points for donor in donors]


# Queueing.


async def hold(pool: asyncpg.Pool, member_id: int):
    """Lock a member's wallet, as a slow transaction of somebody else's would; returns how to let go."""
    connection = await asyncpg.connect(**await address(pool))
    await connection.execute("BEGIN")
    await connection.execute("SELECT 1 FROM account WHERE owner_id = $1 FOR UPDATE", member_id)

    async def let_go() -> None:
        await connection.execute("COMMIT")
        await connection.close()

    return let_go


async def address(pool: asyncpg.Pool) -> dict[str, object]:
    row = await pool.fetchrow(
        "SELECT current_database() AS database, current_setting('unix_socket_directories') AS host"
    )
    return {"user": "postgres", **row}


async def waiters(pool: asyncpg.Pool) -> None:
    """Return when a backend of this database waits for a lock."""
    async with asyncio.timeout(60):
        while not await pool.fetchval(  # the event is in another process
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        ):
            await asyncio.sleep(0.005)


async def test_a_batch_waits_for_whoever_moves_points_there_and_judges_by_what_they_left(pool, people, ledger, gift):
    donor, streamer = await people(2, 500)
    other = await asyncpg.connect(**await address(pool))
    await other.execute("BEGIN")
    await other.execute("SELECT post_transfer($1, 11, 450, 9::smallint)", donor * 16 + 1)
    small, large = gift(donor, streamer, 50), gift(donor, streamer, 60)
    answers = [asyncio.ensure_future(ledger.give(each, b"{}")) for each in (large, small)]
    await waiters(pool)

    await other.execute("COMMIT")
    await other.close()

    refused, receipt = await asyncio.gather(*answers, return_exceptions=True)
    assert (InsufficientPoints, 0) == (type(refused), receipt.points_left)


async def test_whoever_waits_for_the_first_account_holds_no_later_one(pool, people, ledger, gift):
    """One order for all: whoever holds an account may wait for a later one, and two can never wait for each other."""
    *donors, streamer = await people(12, 500)
    await ledger.give(gift(donors[0], streamer), b"{}")
    [given] = await ledger.donations(streamer)

    async def donate() -> object:
        return await asyncio.gather(*(ledger.give(gift(donor, streamer), b"{}") for donor in reversed(donors)))

    wallet, issued = donors[0] * 16 + 1, 9
    for lowest, move in (
        (wallet, donate),
        (wallet, lambda: ledger.refund(given.id, streamer, "")),
        (issued, lambda: ledger.grant(donors[0], 5, "x")),
    ):
        first = await asyncpg.connect(**await address(pool))
        await first.execute("BEGIN")
        await first.execute("SELECT 1 FROM account WHERE id = $1 FOR UPDATE", lowest)
        moving = asyncio.ensure_future(move())
        await waiters(pool)
        later = await first.fetch("SELECT id FROM account WHERE id > $1 FOR UPDATE SKIP LOCKED", lowest)
        assert await pool.fetchval("SELECT count(*) FROM account WHERE id > $1", lowest) == len(later)
        await first.execute("ROLLBACK")
        await first.close()
        assert await moving is not None


async def test_what_comes_while_a_batch_is_in_flight_is_one_batch(pool, people, ledger, gift):
    streamer, *donors = await people(101, 100)
    settled: list[int] = []
    ledger.on_settled = lambda: settled.append(1)
    let_go = await hold(pool, donors[0])
    first = asyncio.ensure_future(ledger.give(gift(donors[0], streamer), b"{}"))
    await waiters(pool)
    others = [asyncio.ensure_future(ledger.give(gift(donor, streamer), b"{}")) for donor in donors[1:]]
    await asyncio.sleep(0)
    assert not first.done()

    await let_go()
    await asyncio.gather(first, *others)

    assert 2 == len(settled)
    assert 2 == await pool.fetchval("SELECT count(DISTINCT xmin::text) FROM transfer WHERE kind = 1")


async def test_a_batch_has_a_largest_size(pool, people, ledger, gift, monkeypatch):
    monkeypatch.setattr(ledger_module, "BATCH_REQUESTS_MAX", 10)
    streamer, *donors = await people(26, 100)

    await asyncio.gather(*(ledger.give(gift(donor, streamer), b"{}") for donor in donors))

    assert [5, 10, 10] == sorted(
        row["count"] for row in await pool.fetch("SELECT count(*) FROM transfer WHERE kind = 1 GROUP BY xmin::text")
    )


async def test_nothing_is_called_when_nothing_moved(people, ledger, gift):
    donor, streamer = await people(2)
    ledger.on_settled = lambda: pytest.fail("nothing has moved")

    with pytest.raises(InsufficientPoints):
        await ledger.give(gift(donor, streamer), b"{}")


async def test_a_donors_queue_has_an_end(pool, people, ledger, gift):
    donor, other, streamer = await people(3, 100_000)
    let_go = await hold(pool, donor)
    waiting = [asyncio.ensure_future(ledger.give(gift(donor, streamer), b"{}"))]
    await waiters(pool)
    waiting += [asyncio.ensure_future(ledger.give(gift(donor, streamer), b"{}")) for _ in range(DONOR_REQUESTS_MAX)]
    await asyncio.sleep(0)

    with pytest.raises(LedgerBusy, match=f"member {donor}"):
        await ledger.give(gift(donor, streamer), b"{}")

    waiting.append(asyncio.ensure_future(ledger.give(gift(other, streamer), b"{}")))
    await let_go()
    assert DONOR_REQUESTS_MAX + 2 == len(await asyncio.gather(*waiting))


async def test_the_queue_has_an_end(pool, people, ledger, gift, monkeypatch):
    monkeypatch.setattr(ledger_module, "QUEUE_REQUESTS_MAX", 3)
    streamer, *donors = await people(6, 100)
    let_go = await hold(pool, donors[0])
    waiting = [asyncio.ensure_future(ledger.give(gift(donors[0], streamer), b"{}"))]
    await waiters(pool)
    waiting += [asyncio.ensure_future(ledger.give(gift(donor, streamer), b"{}")) for donor in donors[1:4]]
    await asyncio.sleep(0)

    with pytest.raises(LedgerBusy, match="3 donations wait"):
        await ledger.give(gift(donors[4], streamer), b"{}")

    await let_go()
    await asyncio.gather(*waiting)


async def test_an_alert_has_a_largest_size(people, ledger, gift):
    donor, streamer = await people(2, 500)

    assert await ledger.give(gift(donor, streamer), b"x" * ALERT_BYTES_MAX)
    with pytest.raises(ValueError, match="4097 bytes"):
        await ledger.give(gift(donor, streamer), b"x" * (ALERT_BYTES_MAX + 1))


async def test_stop_settles_what_waits_and_takes_no_more(pool, people, gift):
    streamer, *donors = await people(51, 100)
    ledger = Ledger(pool)
    await ledger.start()
    waiting = [asyncio.ensure_future(ledger.give(gift(donor, streamer), b"{}")) for donor in donors]
    await asyncio.sleep(0)

    await ledger.stop()

    assert all(task.done() for task in waiting) or 50 == len(await asyncio.gather(*waiting))
    assert 5000 == (await ledger.balance(streamer)).earnings
    with pytest.raises(StoreUnavailable, match="closed"):
        await ledger.give(gift(donors[0], streamer), b"{}")


async def test_a_ledger_that_was_never_started_takes_nothing(pool, gift):
    ledger = Ledger(pool)
    with pytest.raises(StoreUnavailable, match="closed"):
        await ledger.give(gift(1, 2), b"{}")
    await ledger.stop()


async def test_a_caller_who_goes_away_before_the_batch_does_not_donate(pool, people, ledger, gift):
    donor, streamer, other = await people(3, 100)
    let_go = await hold(pool, other)
    first = asyncio.ensure_future(ledger.give(gift(other, streamer), b"{}"))
    await waiters(pool)
    gone = asyncio.ensure_future(ledger.give(gift(donor, streamer), b"{}"))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])

    await let_go()
    await first
    assert not (await ledger.give(gift(donor, streamer), b"{}")).replay  # and the queue goes on
    assert 0 == (await ledger.balance(donor)).points


async def test_a_caller_who_goes_away_in_flight_may_have_donated_and_learns_it_with_the_same_id(
    pool, people, ledger, gift
):
    donor, streamer = await people(2, 100)
    given = gift(donor, streamer)
    let_go = await hold(pool, donor)
    gone = asyncio.ensure_future(ledger.give(given, b"{}"))
    await waiters(pool)
    gone.cancel()
    await asyncio.wait([gone])
    await let_go()

    assert (await ledger.give(given, b"{}")).replay


async def test_a_ledger_that_is_killed_leaves_no_caller_waiting(pool, people, gift):
    donor, streamer, other = await people(3, 100)
    ledger = Ledger(pool)
    await ledger.start()
    let_go = await hold(pool, donor)
    in_flight = asyncio.ensure_future(ledger.give(gift(donor, streamer), b"{}"))
    await waiters(pool)
    waiting = asyncio.ensure_future(ledger.give(gift(other, streamer), b"{}"))
    await asyncio.sleep(0)

    ledger._settler.cancel()
    answers = await asyncio.gather(in_flight, waiting, return_exceptions=True)

    assert [StoreUnknown, StoreUnavailable] == [type(answer) for answer in answers]
    with pytest.raises(StoreUnavailable):
        await ledger.give(gift(donor, streamer), b"{}")
    await let_go()


# Faults.


async def kill_among_donations(pool: asyncpg.Pool, done: asyncio.Event, times: int) -> None:
    """Terminate every backend of the victim again and again, each time after more donations have been settled."""
    for _ in range(times):
        settled = await pool.fetchval("SELECT count(*) FROM donation")
        async with asyncio.timeout(60):
            # The event is in another process.
            while not done.is_set() and await pool.fetchval("SELECT count(*) FROM donation") == settled:
                await asyncio.sleep(0.002)
        await pool.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'")


async def effects(pool: asyncpg.Pool) -> dict[tuple[object, ...], int]:
    """Count the transfers of each intent: id, donor, streamer, points."""
    found = await pool.fetch(
        """
        SELECT d.idem_key, d.donor_id, d.streamer_id, t.amount, count(*)
        FROM donation d JOIN transfer t ON t.id = d.transfer_id GROUP BY 1, 2, 3, 4
        """
    )
    return {tuple(row)[:4]: row["count"] for row in found}


async def test_every_backend_killed_in_the_middle_and_every_id_sent_again(database_url, pool, people, gift):
    """No acknowledged donation is lost, none is applied twice: intents against effects, one to one."""
    streamers = await people(3)
    donors = await people(60, 100_000)
    donations = {donor: [gift(donor, streamers[(donor + n) % 3], 1 + n) for n in range(20)] for donor in donors}
    acknowledged: dict[uuid.UUID, Receipt] = {}
    failed: list[uuid.UUID] = []
    done = asyncio.Event()

    async def donate_all_of(donor: int) -> None:
        for given in donations[donor]:
            try:
                acknowledged[given.id] = await ledger.give(given, b"{}")
            except (StoreUnknown, StoreUnavailable):
                failed.append(given.id)
        done.set()

    victims = await open_pool(database_url, application_name="victim")
    async with Ledger(victims) as ledger:
        await asyncio.gather(kill_among_donations(pool, done, 8), *map(donate_all_of, donors))
        assert failed, "no kill fell among the donations"
        assert [] == await ledger.audit()

        for round_ in zip(*donations.values(), strict=True):
            for receipt in await asyncio.gather(*(ledger.give(given, b"{}") for given in round_)):
                if receipt.id in acknowledged:
                    assert Receipt(receipt.id, acknowledged[receipt.id].points_left, replay=True) == receipt
    await victims.close()

    intents = [(d.id, d.donor_id, d.streamer_id, d.points) for each in donations.values() for d in each]
    assert dict.fromkeys(intents, 1) == await effects(pool)
    assert len(intents) == await pool.fetchval("SELECT count(*) FROM alert")


async def test_without_a_server_every_caller_hears_of_it_and_nobody_waits(database_url, people, gift):
    streamer, *donors = await people(21, 100)
    pool = await open_pool(database_url)
    async with Ledger(pool) as ledger:
        await pool.close()

        answers = await give_all(ledger, [gift(donor, streamer) for donor in donors])

    assert {StoreUnavailable} == {type(answer) for answer in answers}


async def test_a_failure_nobody_foresaw_is_an_unknown_outcome_and_the_ledger_goes_on(people, ledger, gift, monkeypatch):
    donor, other, streamer = await people(3, 100)

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "_call", lambda batch: 1 / (len(batch) - len(batch)))
        with pytest.raises(StoreUnknown, match="ZeroDivisionError"):
            await ledger.give(gift(donor, streamer), b"{}")
    assert await ledger.give(gift(other, streamer), b"{}")


async def test_a_lock_that_somebody_keeps_is_unavailable_and_nothing_has_moved(pool, people, gift, database_url):
    donor, streamer = await people(2, 100)
    impatient = await asyncpg.create_pool(database_url, min_size=0, server_settings={"lock_timeout": "50ms"})
    let_go = await hold(pool, donor)
    before = await rows(pool)

    async with Ledger(impatient) as ledger:
        with pytest.raises(StoreUnavailable, match="LockNotAvailable"):
            await ledger.give(gift(donor, streamer), b"{}")
    assert before == await rows(pool)

    await let_go()
    await impatient.close()


# Reading.


async def test_a_statement_tells_both_sides_newest_first_page_by_page(people, ledger, gift, pool):
    donor, streamer = await people(2)
    names = {row["id"]: row["nickname"] for row in await pool.fetch("SELECT id, nickname FROM member")}
    assert 500 == await ledger.grant(donor, 500, "welcome")
    await ledger.give(gift(donor, streamer, 100, "one"), b"{}")
    await ledger.give(gift(donor, streamer, 50, "two"), b"{}")
    with pytest.raises(InsufficientPoints):
        await ledger.give(gift(donor, streamer, 9999), b"{}")

    entries = await ledger.history(donor)
    assert [
        ("points", "donation", -50, 350, names[streamer], "two"),
        ("points", "donation", -100, 400, names[streamer], "one"),
        ("points", "grant", 500, 500, None, ""),
    ] == [(e.account, e.kind, e.points, e.balance_after, e.nickname, e.text) for e in entries]
    assert entries[:2] == await ledger.history(donor, limit=2)
    assert entries[2:] == await ledger.history(donor, before=entries[1].id, limit=2)
    assert [] == await ledger.history(donor, before=entries[2].id)

    assert [
        ("earnings", "donation", 50, 150, names[donor], "two"),
        ("earnings", "donation", 100, 100, names[donor], "one"),
    ] == [(e.account, e.kind, e.points, e.balance_after, e.nickname, e.text) for e in await ledger.history(streamer)]

    received = await ledger.donations(streamer)
    assert [(names[donor], 50, "two"), (names[donor], 100, "one")] == [(r.nickname, r.points, r.text) for r in received]
    assert received[1:] == await ledger.donations(streamer, before=received[0].id, limit=5)
    assert [] == await ledger.donations(donor)


async def test_a_page_has_a_largest_size(people, ledger, gift):
    streamer, *donors = await people(ledger_module.ENTRIES_MAX + 2, 100)
    await asyncio.gather(*(ledger.give(gift(donor, streamer), b"{}") for donor in donors))

    assert ledger_module.ENTRIES_MAX == len(await ledger.history(streamer, limit=10**9))
    assert ledger_module.ENTRIES_MAX == len(await ledger.donations(streamer, limit=10**9))


# Grants.


async def test_a_grant_is_a_transfer_with_a_reason_and_happens_once(pool, people, ledger):
    [member_id] = await people(1)
    same = uuid.uuid4()

    answers = await asyncio.gather(*(ledger.grant(member_id, 700, "welcome", id=same) for _ in range(10)))

    assert [700] * 10 == answers
    assert 700 == (await ledger.balance(member_id)).points
    assert -700 == await pool.fetchval("SELECT balance FROM account WHERE id = 9")
    assert "welcome" == await pool.fetchval("SELECT reason FROM point_grant")
    with pytest.raises(IdReused):
        await ledger.grant(member_id, 701, "welcome", id=same)
    assert 1400 == await ledger.grant(member_id, 700, "again")


async def test_a_grant_has_the_limits_of_a_donation_and_needs_a_wallet(people, ledger):
    [member_id] = await people(1)
    for points in (0, -1, 1_000_001):
        with pytest.raises(AmountOutOfRange):
            await ledger.grant(member_id, points, "x")
    assert 1_000_000 == await ledger.grant(member_id, 1_000_000, "x")
    with pytest.raises(WalletUnknown):
        await ledger.grant(member_id + 1, 100, "x")


async def test_the_ledger_knows_which_donations_it_has_answered(ledger, people, gift):
    donor, streamer = await people(2, 100)
    given, refused, never = gift(donor, streamer, 60), gift(donor, streamer, 60), gift(donor, streamer, 1)
    await ledger.give(given, b"{}")
    with pytest.raises(InsufficientPoints):
        await ledger.give(refused, b"{}")

    assert await ledger.knows(donor, given.id)
    assert await ledger.knows(donor, refused.id)
    assert not await ledger.knows(donor, never.id)
    assert not await ledger.knows(streamer, given.id)
