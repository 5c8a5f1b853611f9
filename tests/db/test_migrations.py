"""Shell: what the schema forbids by itself, and a planted fault for each rule of the audit."""

from __future__ import annotations

import asyncio
import re
import uuid
from typing import TYPE_CHECKING

import asyncpg
import pytest

from db.ledger import AUDIT, Ledger
from db.migrate import MIGRATIONS
from db.transfer import InsufficientPoints

if TYPE_CHECKING:
    from collections.abc import Iterable


@pytest.fixture
async def gave(people, ledger, gift) -> dict[str, int]:
    """Books with something in them: donor and streamer, one donation accepted and one refused."""
    donor, streamer = await people(2, 100)
    await ledger.give(gift(donor, streamer, 60), b"{}")
    with pytest.raises(InsufficientPoints):
        await ledger.give(gift(donor, streamer, 60), b"{}")
    return {
        "donor": donor,
        "streamer": streamer,
        "wallet": donor * 16 + 1,
        "earnings": streamer * 16 + 2,
        "hold": streamer * 16 + 3,
    }


async def test_what_happened_cannot_be_changed(pool, gave):
    for statement in (
        "UPDATE transfer SET amount = amount + 1",
        "UPDATE transfer SET amount = amount WHERE false",
        "DELETE FROM transfer",
        "TRUNCATE transfer",
        "UPDATE donation SET amount = 1",
        "UPDATE donation SET status = 2, transfer_id = NULL",
        "DELETE FROM donation",
        "UPDATE refund SET reason = ''",
        "UPDATE point_grant SET reason = ''",
        "UPDATE point_order_ruling SET reason = ''",
        "UPDATE payout SET points = 1",
        "UPDATE payout_step SET step = 'paid'",
        "UPDATE seal SET transfers = 1",
        "DELETE FROM seal",
        "TRUNCATE donation",
    ):
        with pytest.raises(asyncpg.RaiseError, match="a correction is another transfer"):
            await pool.execute(statement)
    for statement in (
        "UPDATE broadcast_audience SET peak = 0",
        "DELETE FROM broadcast_audience",
        "TRUNCATE broadcast_audience",
    ):
        with pytest.raises(asyncpg.RaiseError, match="what was counted stays"):
            await pool.execute(statement)

    # But what a member wrote may be blanked when they leave.
    await pool.execute("UPDATE donation SET message = ''")


async def test_a_row_that_breaks_a_rule_is_refused(pool, gave):
    transfer = "INSERT INTO transfer VALUES (DEFAULT,"
    for statement, constraint in (
        ("UPDATE account SET balance = -1 WHERE id = {wallet}", "account_not_below_floor"),
        ("UPDATE account SET min_balance = NULL WHERE id = {wallet}", "account_floor"),
        ("UPDATE account SET id = 5 WHERE id = {wallet}", "account_id_is_arithmetic"),
        ("INSERT INTO account VALUES (4, 0, 4)", "account_kind"),
        ("INSERT INTO account VALUES (25, 1, 9)", "account_kind"),
        (f"{transfer} 9, 9, 1, 2, 9, 9, 0, 0)", "transfer_two_accounts"),
        (f"{transfer} 9, 10, 0, 2, 9, 9, 0, 0)", "transfer_amount"),
        (f"{transfer} 9, 10, -5, 2, 9, 9, 0, 0)", "transfer_amount"),
        (f"{transfer} 9, 10, 1000000000001, 2, 9, 9, 0, 0)", "transfer_amount"),
        (f"{transfer} 9, 10, 1, 2, 1, 1, 0, 0)", "transfer_debit_version"),
        (f"{transfer} 10, {{earnings}}, 1, 2, 1, 1, 0, 0)", "transfer_credit_version"),
        (
            "INSERT INTO donation VALUES (DEFAULT, 1, 2, NULL, 5, '', gen_random_uuid(), 1)",
            "donation_moved_if_accepted",
        ),
        ("INSERT INTO donation VALUES (DEFAULT, 1, 2, NULL, 5, '', gen_random_uuid(), 5)", "donation_status"),
    ):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError) as refused:
            await pool.execute(statement.format(**gave))
        assert constraint == refused.value.constraint_name, statement


async def test_two_of_one_donor_in_one_call_are_not_both_judged(pool, people, gift):
    donor, streamer = await people(2, 500)
    keys = [uuid.uuid4(), uuid.uuid4()]

    verdicts = await pool.fetch(
        "SELECT * FROM settle_donations($1, $2, $3, $4, $5, $6, $7) ORDER BY ordinal",
        keys,
        [donor] * 2,
        [streamer] * 2,
        [100] * 2,
        [""] * 2,
        [False] * 2,
        [b"{}"] * 2,
    )

    assert [("ok", 400), ("again", None)] == [(row["verdict"], row["points_left"]) for row in verdicts]
    assert 1 == await pool.fetchval("SELECT count(*) FROM donation")


async def test_without_the_row_locks_the_versions_still_refuse_a_lost_update(pool, people, gift):
    """The second wall: the function with its lock statement cut out loses donations, but no point."""
    streamer, *donors = await people(41, 1000)
    source = await pool.fetchval("SELECT pg_get_functiondef('settle_donations'::regproc)")
    lock = re.search(r"PERFORM 1 FROM account.*?FOR NO KEY UPDATE;", source, re.DOTALL)
    assert lock is not None
    await pool.execute(source.replace(lock[0], ""))

    async with Ledger(pool) as one, Ledger(pool) as other:
        for _ in range(10):
            await asyncio.gather(
                *((one, other)[donor % 2].give(gift(donor, streamer), b"{}") for donor in donors),
                return_exceptions=True,
            )

        assert [] == await one.audit()
        given = sum([1000 - (await one.balance(donor)).points for donor in donors])
        assert given == (await one.balance(streamer)).earnings


# What no code of ours does, done by hand with the walls taken down; and every rule that must notice, no more, no less.
TRIGGERS_OFF = "SET LOCAL session_replication_role = replica"
TWICE = "SELECT post_transfer({wallet}, {earnings}, 10, 1::smallint)"
SEALED = "SELECT seal_transfers(9223372036854775807, 100)"
HOLD = "INSERT INTO account (id, owner_id, kind) VALUES ({hold}, {streamer}, 3)"
PAID_OUT = """
    SELECT end_payout(id, true, '') FROM (
        SELECT id, begin_payout(id, {streamer}, 10, '') FROM (SELECT gen_random_uuid() AS id OFFSET 0) one OFFSET 0) two
"""
REFUNDED = "SELECT refund_donation(id, streamer_id, '') FROM donation WHERE status = 1"
ORDERED = """
    INSERT INTO point_order (id, member_id, product, points, amount_won, provider, cid, state, transfer_id, paid_at,
                             created_at, state_at)
    SELECT gen_random_uuid(), {donor}, '100', 100, 1200, '', '', '%s', 0, now(), now(), now()
"""
FAULTS: dict[str, tuple[Iterable[str], set[str]]] = {
    "points out of nothing": (
        ["UPDATE account SET balance = balance + 1 WHERE id = {wallet}"],
        {"sum of balances is zero", "balance is the sum of its transfers"},
    ),
    "points moved without a transfer": (
        [
            "UPDATE account SET balance = balance - 1 WHERE id = {wallet}",
            "UPDATE account SET balance = balance + 1 WHERE id = {earnings}",
        ],
        {"balance is the sum of its transfers"},
    ),
    "an amount changed afterwards": (
        [TRIGGERS_OFF, "UPDATE transfer SET amount = 1 WHERE kind = 1"],
        {
            "balance is the sum of its transfers",
            "the running balance is right",
            "an accepted donation moved exactly its points",
        },
    ),
    "a transfer and its traces removed": (
        [
            TRIGGERS_OFF,
            "DELETE FROM transfer WHERE kind = 1",
            "UPDATE account SET balance = balance + 60, version = version - 1 WHERE id = {wallet}",
            "UPDATE account SET balance = balance - 60, version = version - 1 WHERE id = {earnings}",
        ],
        {"an accepted donation moved exactly its points"},
    ),
    # The mutant without an idempotency key applied 825 of 8,000 intents twice, and every sum was right.
    "a donation applied twice": ([TWICE], {"a donation transfer has exactly one donation"}),
    "a donation recorded and applied twice": (
        [
            "ALTER TABLE donation DROP CONSTRAINT donation_once",
            """
            WITH moved AS (SELECT * FROM post_transfer({wallet}, {earnings}, 10, 1::smallint))
            INSERT INTO donation (donor_id, streamer_id, amount, message, idem_key, status, transfer_id)
            SELECT {donor}, {streamer}, 10, '', (SELECT idem_key FROM donation WHERE status = 1), 1, id FROM moved
            """,
        ],
        {"an intent is recorded once"},
    ),
    "a donation credited to another": (
        [TRIGGERS_OFF, "UPDATE donation SET streamer_id = {donor} WHERE status = 1"],
        {"an accepted donation moved exactly its points", "an alert belongs to an accepted donation"},
    ),
    "a refused donation with a transfer": (
        [
            TRIGGERS_OFF,
            "ALTER TABLE donation DROP CONSTRAINT donation_moved_if_accepted",
            "UPDATE donation SET status = 2 WHERE status = 1",
        ],
        {"a refused donation moved nothing", "an alert belongs to an accepted donation"},
    ),
    "an account removed": (
        ["DELETE FROM account WHERE id = {earnings}"],
        {"sum of balances is zero", "a transfer joins accounts that exist"},
    ),
    "a hole in a statement": (
        [TRIGGERS_OFF, "UPDATE transfer SET debit_version = debit_version + 5 WHERE kind = 1"],
        {"the statement has no gap"},
    ),
    "a wallet overdrawn": (
        [
            "ALTER TABLE account DROP CONSTRAINT account_not_below_floor",
            "SELECT post_transfer({wallet}, {earnings}, 41, 3::smallint)",
        ],
        {"no running balance below the floor", "no balance below the floor"},
    ),
    "a wallet without a floor": (
        [
            "ALTER TABLE account DROP CONSTRAINT account_floor",
            "UPDATE account SET min_balance = NULL WHERE id = {wallet}",
        ],
        {"no balance below the floor"},
    ),
    "a grant nobody answers for": (
        [TRIGGERS_OFF, "DELETE FROM point_grant"],
        {"a grant transfer has exactly one grant"},
    ),
    "a grant of other points": (
        [TRIGGERS_OFF, "UPDATE point_grant SET points = points + 1"],
        {"a grant transfer has exactly one grant"},
    ),
    "a grant without its transfer": (
        ["INSERT INTO point_grant VALUES (gen_random_uuid(), {donor}, 5, '', 0)"],
        {"a grant has its transfer"},
    ),
    "a reversal of another amount": (
        [TRIGGERS_OFF, REFUNDED, "UPDATE transfer SET amount = 59 WHERE kind = 5"],
        {
            "a reversal mirrors its original",
            "balance is the sum of its transfers",
            "the running balance is right",
        },
    ),
    "a refund of nothing": (
        [REFUNDED, TRIGGERS_OFF, "UPDATE refund SET donation_id = 0"],
        {"a refund transfer reverses a donation and has its refund"},
    ),
    "a refund without its transfer": (
        ["INSERT INTO refund VALUES (0, 0, '')"],
        {"a refund has its transfer"},
    ),
    "a top-up nobody ordered": (
        ["SELECT post_transfer(9, {wallet}, 100, 20::smallint)"],
        {"a transfer of an order is of its member and its points"},
    ),
    "a top-up of another wallet": (
        [
            ORDERED % "expired",
            """
            INSERT INTO point_order_transfer
            SELECT t.id, o.id FROM point_order o, post_transfer(9, {earnings}, 100, 20::smallint) t
            """,
        ],
        {
            "a transfer of an order is of its member and its points",
            "an order has given its points exactly when it is paid",
        },
    ),
    "an order paid without its points": (
        [ORDERED % "paid"],
        {"an order has given its points exactly when it is paid"},
    ),
    "an order of a transfer that is not": (
        [ORDERED % "expired", "INSERT INTO point_order_transfer SELECT 0, id FROM point_order"],
        {"the transfer of an order is there"},
    ),
    "a payout nobody asked for": (
        [HOLD, "SELECT post_transfer({earnings}, {hold}, 10, 6::smallint)"],
        {"a payout transfer is a step of a payout and its points", "what is held is what open payouts are to pay"},
    ),
    "a payout of other points": (
        [PAID_OUT, TRIGGERS_OFF, "UPDATE payout SET points = points + 1"],
        {"a payout transfer is a step of a payout and its points"},
    ),
    "a payout paid twice": (
        [
            PAID_OUT,
            "SELECT post_transfer({earnings}, {hold}, 10, 6::smallint)",
            "SELECT post_transfer({hold}, 10, 10, 7::smallint)",
        ],
        {"a payout transfer is a step of a payout and its points"},
    ),
    "a step of a payout that is not": (
        [PAID_OUT, TRIGGERS_OFF, "UPDATE payout_step SET transfer_id = 0 WHERE step = 'paid'"],
        {"a payout transfer is a step of a payout and its points", "a step of a payout has its transfer"},
    ),
    "a payout that was never held": (
        ["INSERT INTO payout VALUES (gen_random_uuid(), {streamer}, 10, '')", HOLD],
        {"a payout was held", "what is held is what open payouts are to pay"},
    ),
    "a ruling that moved what was not its order's": (
        [
            ORDERED % "expired",
            """
            INSERT INTO point_order_ruling (order_id, credited, reason, kept_won, transfer_id, created_at)
            SELECT id, true, 'seen', 1200, 0, now() FROM point_order
            """,
        ],
        {"a ruling has moved points of its order, or none"},
    ),
    "a sealed row changed without a trace in the sums": (
        [SEALED, TRIGGERS_OFF, "UPDATE transfer SET created_at = created_at - interval '1 microsecond' WHERE kind = 1"],
        {"a seal fits its transfers"},
    ),
    "a seal removed": (
        ["SELECT seal_transfers(1, 1)", SEALED, TRIGGERS_OFF, "DELETE FROM seal WHERE number = 1"],
        {"a seal fits its transfers"},
    ),
    "an alert of nothing": (
        ["INSERT INTO alert VALUES (0, {streamer}, '')"],
        {"an alert belongs to an accepted donation"},
    ),
}


async def test_the_audit_finds_every_planted_fault_and_names_its_rule(pool, gave):
    for name, (statements, rules) in FAULTS.items():
        async with pool.acquire() as connection:
            planted = connection.transaction()
            await planted.start()
            for statement in statements:
                await connection.execute(statement.format(**gave))
            found = {row["rule"] for row in await connection.fetch(AUDIT)}
            await planted.rollback()

        assert rules == found, name


def test_every_rule_of_the_audit_has_a_planted_fault():
    functions = re.compile(
        r"^CREATE FUNCTION (\w+)\(\) RETURNS TABLE \(rule text.*?\$\$(.*?)\$\$", re.MULTILINE | re.DOTALL
    )
    bodies = {name: body for file in MIGRATIONS.glob("*.sql") for name, body in functions.findall(file.read_text())}
    assert set(bodies) == set(re.findall(r"(\w+)\(\)", AUDIT))
    rules = {rule for body in bodies.values() for rule in re.findall(r"^ +SELECT '([^']+)',", body, re.MULTILINE)}

    assert len(rules) > 10
    assert rules == set().union(*(rules for _, rules in FAULTS.values()))


async def test_a_finding_is_a_line_for_a_person(pool, ledger, gave):
    await pool.execute("UPDATE account SET balance = balance + 1 WHERE id = $1", gave["wallet"])
    findings = await ledger.audit()
    await pool.execute("UPDATE account SET balance = balance - 1 WHERE id = $1", gave["wallet"])

    assert [
        f"balance is the sum of its transfers: account {gave['wallet']}: balance 41 version 2, transfers give 40 in 2",
        "sum of balances is zero: all accounts: is 1",
    ] == sorted(findings)
