"""Shell: the books by night: seals a few seconds behind the donations; once a day the audit and the report."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from db.errors import StoreError
from db.ledger import AUDIT_SECONDS_MAX, Ledger
from db.order import ALARM_AFTER, UNDER_WAY, State
from db.pool import reading, writing
from db.seals import Seals
from db.transfer import KIND_NAMES, POCKET_NAMES, REFUSAL_NAMES

if TYPE_CHECKING:
    import asyncpg

# A past row is under a seal after two of these; shorter makes more seals and no donation safer.
SEAL_SECONDS = 10.0
# A house that was off for longer has nothing to tell of the days before.
DAYS_MAX = 31
# A day is reported when nobody can still write into it: transactions take the time of their beginning and may last five
# seconds, and two machines' clocks differ. What were missed would be missed for ever, for a report is never made anew.
DAY_OVER_AFTER = timedelta(minutes=10)
# Who waits for his locks over midnight (five seconds at most) has drawn his ids after all who overtook him, at some
# 6,000 a second; three times as many are looked through again, which takes milliseconds.
OVERTAKEN_MAX = 100_000
# A report that fails is tried again twice as late each time: an audit that takes too long must not run all day.
REPORT_AGAIN_MIN = timedelta(seconds=30)
REPORT_AGAIN_MAX = timedelta(hours=6)

log = logging.getLogger("commeow.books")


@dataclass(frozen=True, slots=True)
class Report:
    """What a day has brought, in lines for a person; `findings` of the audit when it was over."""

    day: date
    lines: list[str]
    findings: list[str]


class Bookkeeper:
    """Keeps the books in order; several at once do no harm, and one is enough."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._ledger = Ledger(pool)
        self._seals = Seals(pool)
        self._done: date | None = None  # the last day that is known to have its report
        self._pause = REPORT_AGAIN_MIN
        self._report_at: datetime | None = None  # not before, because the last try came to nothing

    async def run(self) -> None:
        """Work until cancelled; a store that is away is tried again."""
        while True:
            try:
                await self.tick(datetime.now(UTC))
            except StoreError as error:
                log.warning("books_wait reason=%s", error)
            await asyncio.sleep(SEAL_SECONDS)

    async def tick(self, now: datetime) -> None:
        """Seal what is settled; report every day that is over and has no report. Raises StoreError."""
        await self._seals.advance()
        over = last_day_over(now)
        if self._done == over or (self._report_at is not None and now < self._report_at):
            return
        try:
            for day in await self._days_without(over):
                report = await self.report(day)
                log.info("daily_report day=%s %s", report.day, "; ".join(report.lines))
                for finding in report.findings:
                    log.error("books_do_not_balance %s", finding)
        except StoreError:
            self._report_at = now + self._pause
            self._pause = min(2 * self._pause, REPORT_AGAIN_MAX)
            raise
        self._done, self._report_at, self._pause = over, None, REPORT_AGAIN_MIN

    async def report(self, day: date) -> Report:
        """Return the report of a day that is over, and make and keep it if nobody has. Raises StoreError."""
        kept = await self._kept(day)
        if kept is None:
            findings = await self._ledger.audit()
            await self._make(day, findings)
            kept = await self._kept(day)
            assert kept is not None, "a report is never removed"
        return kept

    async def _days_without(self, over: date) -> list[date]:
        async with reading(self._pool) as connection:
            last = await connection.fetchval("SELECT max(day) FROM daily_report")
        first = over if last is None else max(last + timedelta(days=1), over - timedelta(days=DAYS_MAX))
        return [first + timedelta(days=number) for number in range((over - first).days + 1)]

    async def _kept(self, day: date) -> Report | None:
        async with reading(self._pool) as connection:
            row = await connection.fetchrow("SELECT day, lines, findings FROM daily_report WHERE day = $1", day)
        return None if row is None else Report(row["day"], list(row["lines"]), list(row["findings"]))

    async def _make(self, day: date, findings: list[str]) -> None:
        head = await self._seals.head()
        begin = datetime.combine(day, time(), UTC)
        async with writing(self._pool) as connection, connection.transaction():
            await connection.execute(f"SET LOCAL statement_timeout = '{AUDIT_SECONDS_MAX}s'")
            within = (begin, begin + timedelta(days=1), day, OVERTAKEN_MAX)
            moved = await connection.fetch(_MOVED, *within, timeout=AUDIT_SECONDS_MAX)
            asked = await connection.fetch(_ASKED, *within, timeout=AUDIT_SECONDS_MAX)
            held = await connection.fetch(_HELD)
            waiting = await connection.fetchval("SELECT count(*) FROM alert")
            hanging = await connection.fetch(_HANGING, begin + timedelta(days=1) - ALARM_AFTER, sorted(UNDER_WAY))
            lines = [*_moved_lines(moved), *_asked_lines(asked), *_held_lines(held), *_order_lines(hanging)]
            lines += [f"alerts waiting: {waiting}", f"head: {head or '-'}"]
            await connection.execute(
                """
                INSERT INTO daily_report (day, lines, findings, last_transfer, last_donation)
                VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
                """,
                day,
                lines,
                findings,
                max((row["last"] for row in moved), default=0),
                max((row["last"] for row in asked), default=0),
            )


# Ids rise with time but for transactions that overlapped: some ids back are seen again, and their time decides.
_MOVED = """
    SELECT kind, count(*) AS transfers, sum(amount)::bigint AS points, max(id) AS last FROM transfer
    WHERE created_at >= $1 AND created_at < $2
          AND id > (SELECT coalesce(max(last_transfer), 0) - $4 FROM daily_report WHERE day < $3)
    GROUP BY kind ORDER BY kind
"""
_ASKED = """
    SELECT status, count(*) AS donations, max(id) AS last FROM donation
    WHERE created_at >= $1 AND created_at < $2
          AND id > (SELECT coalesce(max(last_donation), 0) - $4 FROM daily_report WHERE day < $3)
    GROUP BY status ORDER BY status
"""
_HELD = "SELECT kind, sum(balance)::bigint AS points FROM account GROUP BY kind ORDER BY kind"
# Those that need a person, and those that have been under way for too long.
_HANGING = """
    SELECT state, count(*) AS orders, min(id::text) AS one FROM point_order
    WHERE state = 'review' OR state = ANY ($2::text[]) AND state_at < $1 GROUP BY state ORDER BY state
"""


def last_day_over(now: datetime) -> date:
    """Say which day (UTC) is the last that nobody can still write into."""
    return (now.astimezone(UTC) - DAY_OVER_AFTER).date() - timedelta(days=1)


def _moved_lines(rows: list[Any]) -> list[str]:
    if not rows:
        return ["nothing moved"]
    return [
        f"{KIND_NAMES.get(row['kind'], row['kind'])}: {row['points']} points in {row['transfers']} transfers"
        for row in rows
    ]


def _asked_lines(rows: list[Any]) -> list[str]:
    return [
        f"donations refused ({REFUSAL_NAMES[row['status']]}): {row['donations']}"
        for row in rows
        if row["status"] in REFUSAL_NAMES
    ]


def _order_lines(rows: list[Any]) -> list[str]:
    words = {State.REVIEW: "need a person"}
    return [
        f"orders that {words.get(row['state'], 'hang in ' + row['state'])}: {row['orders']}, {row['one']} among them"
        for row in rows
    ]


def _held_lines(rows: list[Any]) -> list[str]:
    return [f"{POCKET_NAMES.get(row['kind'], row['kind'])}: {row['points']} points in all" for row in rows]
