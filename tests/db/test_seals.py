"""Shell: seals on a real PostgreSQL: nothing under way is sealed too early, nothing is left out."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from db import seals as seals_module
from db.ledger import Ledger
from db.seal import Proof
from db.seals import Seals


async def exported(seals: Seals) -> tuple[Proof, list[str]]:
    lines: list[str] = []
    written = await seals.export(lines.append)
    proof = Proof(written.head)
    for line in "".join(lines).splitlines(keepends=True):
        proof.feed(line)
    findings = proof.finish()
    assert (proof.transfers, proof.head) == (written.transfers, written.head)
    return proof, findings


async def test_empty_books_have_no_seal_and_a_whole_export(pool):
    seals = Seals(pool)

    assert 0 == await seals.seal_all()
    assert await seals.head() is None
    assert [] == (await exported(seals))[1]


async def test_every_transfer_is_sealed_once_and_proved_from_an_export(pool, people, ledger, gift, monkeypatch):
    monkeypatch.setattr(seals_module, "BLOCK_TRANSFERS_MAX", 10)
    streamer, *donors = await people(31, 500)
    seals = Seals(pool)
    await asyncio.gather(*(ledger.give(gift(donor, streamer), b"{}") for donor in donors))
    assert 61 == await seals.seal_all()
    first = await seals.head()
    await ledger.refund((await ledger.donations(streamer))[0].id, streamer, "")

    assert 1 == await seals.seal_all()
    assert 0 == await seals.seal_all()
    proof, findings = await exported(seals)

    assert [] == findings
    assert (62, 8) == (proof.transfers, proof.head.number)
    assert 7 == first.number
    assert [] == await ledger.audit()


async def test_what_is_under_way_is_not_sealed_over(pool, people, ledger, gift):
    """A transfer that drew its id early and commits late would stand under a seal that does not know it."""
    donor, other, streamer = await people(3, 500)
    seals = Seals(pool)
    await seals.seal_all()
    slow = await asyncpg.connect(**await address(pool))
    await slow.execute("BEGIN")
    await slow.execute("SELECT post_transfer($1, 11, 1, 9::smallint)", donor * 16 + 1)
    await ledger.give(gift(other, streamer), b"{}")

    assert [0, 0, 0] == [await seals.advance() for _ in range(3)]
    await slow.execute("COMMIT")
    await slow.close()

    assert 2 == await seals.advance()
    assert [] == (await exported(seals))[1]


async def address(pool: asyncpg.Pool) -> dict[str, object]:
    row = await pool.fetchrow(
        "SELECT current_database() AS database, current_setting('unix_socket_directories') AS host"
    )
    return {"user": "postgres", **row}


async def test_many_sealers_among_donations_make_one_chain(pool, people, gift):
    streamers = await people(3)
    donors = await people(40, 10_000)
    done = asyncio.Event()

    async def seal_often(seals: Seals) -> None:
        while not done.is_set():
            await seals.advance()

    async def donate() -> None:
        async with Ledger(pool) as one, Ledger(pool) as other:
            for number in range(10):
                await asyncio.gather(
                    *(
                        (one, other)[donor % 2].give(gift(donor, streamers[donor % 3], 1 + number), b"{}")
                        for donor in donors
                    )
                )
        done.set()

    sealers = [Seals(pool) for _ in range(3)]
    await asyncio.gather(donate(), *map(seal_often, sealers))
    await sealers[0].seal_all()
    proof, findings = await exported(sealers[0])

    assert [] == findings
    assert 440 == proof.transfers
    assert [] == await Ledger(pool).audit()


async def test_a_row_changed_behind_the_triggers_is_found_by_the_audit_and_by_the_export(pool, people, ledger, gift):
    donor, streamer = await people(2, 500)
    await ledger.give(gift(donor, streamer), b"{}")
    seals = Seals(pool)
    await seals.seal_all()

    async def change(days: int) -> None:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")
            await connection.execute("UPDATE transfer SET created_at = created_at + $1 * interval '1 day'", days)

    await change(1)
    audited, (_, proved) = await ledger.audit(), await exported(seals)
    await change(-1)

    assert ["a seal fits its transfers"] == [finding.partition(":")[0] for finding in audited]
    assert any("not those that were sealed" in finding for finding in proved)


async def test_a_transaction_that_never_ends_is_waited_for_no_longer_than_that(pool, people, monkeypatch):
    monkeypatch.setattr(seals_module, "SETTLED_SECONDS_MAX", 0.05)
    [donor] = await people(1, 500)
    slow = await asyncpg.connect(**await address(pool))
    await slow.execute("BEGIN")
    await slow.execute("SELECT post_transfer($1, 11, 1, 9::smallint)", donor * 16 + 1)

    with pytest.raises(seals_module.StoreUnavailable, match="has been open"):
        await Seals(pool).seal_all()
    await slow.execute("ROLLBACK")
    await slow.close()
