"""Shell: the seals in PostgreSQL: made a few seconds behind the donations, so that no donation waits for one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from db.errors import StoreUnavailable
from db.pool import reading, writing
from db.seal import HEAD_LINE, Head, end_line, seal_line

if TYPE_CHECKING:
    from collections.abc import Callable

    import asyncpg

# About a megabyte of lines, twenty milliseconds of the server's time.
BLOCK_TRANSFERS_MAX = 8192
# How long `seal_all` waits for transactions that are under way; ours end within five seconds or are ended.
SETTLED_SECONDS_MAX = 15.0
SETTLED_POLL_SECONDS = 0.02
# Blocks that an export holds at a time.
EXPORT_BLOCKS = 4


@dataclass(frozen=True, slots=True)
class _Mark:
    """The last transfer id drawn, and a transaction's number above that of everyone who has drawn one so far."""

    transfer_id: int
    transaction: int


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export holds."""

    seals: int
    transfers: int
    head: Head | None


class Seals:
    """Seals the transfers, oldest first.

    Ids are drawn in order but committed in any: a block may be sealed only when nobody can still commit a row into it.
    So `advance` notes how far ids are drawn, and seals up to there when every transaction of that moment has ended. No
    lock is taken that a donation would wait for.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._mark: _Mark | None = None

    async def advance(self) -> int:
        """Seal what was under way at the last call and is settled now; return how many transfers.

        Call it every few seconds, from as many processes as may be. Raises StoreUnavailable, StoreUnknown.
        """
        sealed = 0
        if self._mark is not None and await self._is_settled(self._mark):
            sealed = await self._seal_to(self._mark.transfer_id)
            self._mark = None
        if self._mark is None:
            self._mark = await self._noted()
        return sealed

    async def seal_all(self) -> int:
        """Seal every transfer that is committed by now; return how many. Raises StoreUnavailable, StoreUnknown."""
        mark = await self._noted()
        try:
            async with asyncio.timeout(SETTLED_SECONDS_MAX):
                # The transactions are in the server: there is no event here to wait for.
                while not await self._is_settled(mark):  # noqa: ASYNC110
                    await asyncio.sleep(SETTLED_POLL_SECONDS)
        except TimeoutError as error:
            raise StoreUnavailable(f"a transaction has been open for {SETTLED_SECONDS_MAX:.0f} s") from error
        return await self._seal_to(mark.transfer_id)

    async def head(self) -> Head | None:
        """Return the last seal, None if there is none. Raises StoreUnavailable."""
        async with reading(self._pool) as connection:
            row = await connection.fetchrow("SELECT number, digest FROM seal ORDER BY number DESC LIMIT 1")
        return None if row is None else Head(row["number"], row["digest"])

    async def export(self, write: Callable[[str], object]) -> Exported:
        """Write every sealed transfer and every seal, as db.seal reads them. Raises StoreUnavailable."""
        seals = transfers = 0
        head = None
        write(f"{HEAD_LINE}\n")
        async with (
            reading(self._pool) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await connection.execute("SET LOCAL statement_timeout = 0")
            blocks = connection.cursor(
                """
                SELECT s.number, s.digest, s.transfers, b.lines
                FROM (SELECT *, lag(last_id, 1, 0::bigint) OVER (ORDER BY number) AS after_id FROM seal) s
                CROSS JOIN LATERAL (
                    SELECT string_agg(transfer_line(t), '' ORDER BY t.id) AS lines
                    FROM transfer t WHERE t.id > s.after_id AND t.id <= s.last_id
                ) b
                ORDER BY s.number
                """,
                prefetch=EXPORT_BLOCKS,
                timeout=None,
            )
            async for row in blocks:
                head = Head(row["number"], row["digest"])
                seals, transfers = seals + 1, transfers + row["transfers"]
                write(row["lines"] or "")
                write(seal_line(head, row["transfers"]))
        write(end_line(seals, transfers))
        return Exported(seals, transfers, head)

    async def _noted(self) -> _Mark:
        """Note how far ids are drawn, and only then who is under way: whoever drew one of them is among these."""
        async with writing(self._pool) as connection:
            transfer_id = await connection.fetchval("SELECT last_value FROM transfer_id_seq")
            # A number of our own: a snapshot's upper end is that of the last one to end, and who runs may be above it.
            transaction = await connection.fetchval("SELECT pg_current_xact_id()::text::bigint")
        return _Mark(transfer_id, transaction)

    async def _is_settled(self, mark: _Mark) -> bool:
        async with reading(self._pool) as connection:
            oldest = await connection.fetchval("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        return bool(oldest >= mark.transaction)

    async def _seal_to(self, transfer_id: int) -> int:
        sealed = 0
        while True:
            async with writing(self._pool) as connection:
                block = await connection.fetchval("SELECT seal_transfers($1, $2)", transfer_id, BLOCK_TRANSFERS_MAX)
            if not block:
                return sealed
            sealed += block
