"""Shell: the books: donations settled in batches, each judged by itself; balances, statements and the audit."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import asyncpg

from db.errors import StoreUnavailable, StoreUnknown
from db.pool import reading, writing
from db.transfer import (
    EARNINGS,
    KIND_NAMES,
    WALLET,
    AmountOutOfRange,
    Balance,
    ChannelOffAir,
    Donation,
    DonationToSelf,
    DonationUnknown,
    DonorGone,
    EarningsShort,
    Entry,
    IdReused,
    InsufficientPoints,
    Receipt,
    Received,
    StreamerUnknown,
    TransferError,
    WalletUnknown,
    account_name,
    check_points,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID

# One call settles at most so many: larger batches gain no throughput and hold the hot row longer.
BATCH_REQUESTS_MAX = 512
# About a second's work; who comes later is better told now than after a time-out.
QUEUE_REQUESTS_MAX = 8192
# One donor has at most one request in a batch, so a donor's queue drains slowly: nobody needs a long one.
DONOR_REQUESTS_MAX = 32
# An alert is one small JSON event, and it is kept with the money.
ALERT_BYTES_MAX = 4096
# One page of a statement.
ENTRIES_MAX = 100
# What the audit is made of: a part is added with the migration that brings what it looks at.
AUDIT = """
    SELECT * FROM ledger_audit()
    UNION ALL SELECT * FROM ledger_audit_refunds()
    UNION ALL SELECT * FROM ledger_audit_payouts()
    UNION ALL SELECT * FROM order_audit()
    UNION ALL SELECT * FROM order_audit_rulings()
    UNION ALL SELECT * FROM ledger_audit_seals()
"""
# The audit reads everything; it may take its time (five seconds for 300,000 transfers).
AUDIT_SECONDS_MAX = 300


class LedgerBusy(StoreUnavailable):
    """The queue is full, or this donor's share of it: surely nothing was done, try again later."""


@dataclass(eq=False, slots=True)
class _Request:
    donation: Donation
    alert: bytes
    answer: asyncio.Future[Receipt] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def refuse(self, error: Exception) -> None:
        if not self.answer.done():  # a caller who has gone away takes no answer
            self.answer.set_exception(error)


class Ledger:
    """The one way for points to move. `start()` it, or use it as an async context manager.

    Requests collect while the previous batch is in flight, and then one call settles them all: no timer, so a single
    donation waits for nobody, and a thousand at once share one commit. `on_settled` is called after each commit that
    left alerts to publish.
    """

    def __init__(self, pool: asyncpg.Pool, *, on_settled: Callable[[], None] | None = None) -> None:
        self.on_settled = on_settled
        self._pool = pool
        self._waiting: deque[_Request] = deque()
        self._waiting_of: Counter[int] = Counter()
        self._wake = asyncio.Event()
        self._settler: asyncio.Task[None] | None = None
        self._open = False

    async def start(self) -> None:
        """Begin to take donations."""
        assert self._settler is None, "a ledger is started once"
        self._open = True
        self._settler = asyncio.create_task(self._settle_for_ever(), name="ledger")

    async def stop(self) -> None:
        """Take no more donations, settle those that wait, and return when every caller has an answer."""
        self._open = False
        self._wake.set()
        if self._settler is not None:
            await self._settler

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def give(self, donation: Donation, alert: bytes) -> Receipt:
        """Move the points and record `alert` in the same commit; the same id again gives the same answer.

        `alert` is what the streamer's room shall see, at most ALERT_BYTES_MAX. Raises InsufficientPoints, IdReused,
        ChannelOffAir, StreamerUnknown, WalletUnknown; LedgerBusy and StoreUnavailable (surely not done); StoreUnknown
        (retry with the same id). A caller who is cancelled may have donated.
        """
        if len(alert) > ALERT_BYTES_MAX:
            raise ValueError(f"an alert of {len(alert)} bytes")
        if not self._open:
            raise StoreUnavailable("the ledger is closed")
        if len(self._waiting) >= QUEUE_REQUESTS_MAX:
            raise LedgerBusy(f"{QUEUE_REQUESTS_MAX} donations wait")
        if self._waiting_of[donation.donor_id] >= DONOR_REQUESTS_MAX:
            raise LedgerBusy(f"{DONOR_REQUESTS_MAX} donations of member {donation.donor_id} wait")
        request = _Request(donation, alert)
        self._waiting_of[donation.donor_id] += 1
        self._waiting.append(request)
        self._wake.set()
        return await request.answer

    async def grant(self, member_id: int, points: int, reason: str, *, id: UUID | None = None) -> int:  # noqa: A002
        """Give points out of nothing, for a reason on record; return what the wallet holds then.

        The same `id` again moves nothing and answers as before. Raises AmountOutOfRange, WalletUnknown, IdReused,
        StoreUnavailable, StoreUnknown.
        """
        check_points(points)
        grant_id = uuid.uuid4() if id is None else id
        async with writing(self._pool) as connection:
            row = await connection.fetchrow(
                "SELECT * FROM grant_points($1, $2, $3, $4)", grant_id, member_id, points, reason
            )
        if row["verdict"] == "no_wallet":
            raise WalletUnknown(member_id)
        if row["verdict"] == "key_conflict":
            raise IdReused(grant_id)
        return int(row["points_after"])

    async def refund(self, donation_id: int, channel_id: int, reason: str) -> int:
        """Give one donation to a channel back to its donor; return the channel's earnings right after it.

        Again, it moves nothing and answers as before. Raises DonationUnknown, DonorGone, EarningsShort,
        StoreUnavailable, StoreUnknown.
        """
        async with writing(self._pool) as connection:
            row = await connection.fetchrow(
                "SELECT * FROM refund_donation($1, $2, $3)", donation_id, channel_id, reason
            )
        if row["verdict"] == "unknown":
            raise DonationUnknown(donation_id)
        if row["verdict"] == "gone":
            raise DonorGone(donation_id)
        if row["verdict"] == "short":
            raise EarningsShort(donation_id)
        return int(row["earnings_after"])

    async def knows(self, donor_id: int, id: UUID) -> bool:  # noqa: A002
        """Tell whether a donation of this id has its answer already. Raises StoreUnavailable."""
        async with reading(self._pool) as connection:
            found = await connection.fetchval(
                "SELECT 1 FROM donation WHERE donor_id = $1 AND idem_key = $2", donor_id, id
            )
        return found is not None

    async def balance(self, member_id: int) -> Balance:
        """Say what a member has. Raises WalletUnknown, StoreUnavailable."""
        async with reading(self._pool) as connection:
            row = await connection.fetchrow(
                """
                SELECT w.balance AS points, e.balance AS earnings
                FROM account w, account e WHERE w.id = $1 AND e.id = $2
                """,
                member_id * 16 + WALLET,
                member_id * 16 + EARNINGS,
            )
        if row is None:
            raise WalletUnknown(member_id)
        return Balance(points=row["points"], earnings=row["earnings"])

    async def history(self, member_id: int, *, before: int | None = None, limit: int = ENTRIES_MAX) -> list[Entry]:
        """Page through a member's statement, newest first: at most `limit` entries with an id below `before`."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                """
                SELECT l.*, d.message, m.nickname
                FROM (
                    (SELECT id, created_at, kind, debit_account AS account, -amount AS points, debit_after AS after,
                            credit_account AS other, coalesce(reverses, id) AS original
                     FROM transfer WHERE debit_account = ANY($1) AND id < $2 ORDER BY id DESC LIMIT $3)
                    UNION ALL
                    (SELECT id, created_at, kind, credit_account, amount, credit_after,
                            debit_account, coalesce(reverses, id)
                     FROM transfer WHERE credit_account = ANY($1) AND id < $2 ORDER BY id DESC LIMIT $3)
                ) l
                LEFT JOIN donation d ON d.transfer_id = l.original
                LEFT JOIN member m ON m.id = l.other / 16 AND m.erased_at IS NULL
                    -- The streamer's statement must not tell what the room was not told.
                    AND NOT (coalesce(d.anonymous, false) AND l.account % 16 = $4)
                ORDER BY l.id DESC LIMIT $3
                """,
                [member_id * 16 + WALLET, member_id * 16 + EARNINGS],
                _LAST_ID if before is None else before,
                min(limit, ENTRIES_MAX),
                EARNINGS,
            )
        return [_entry(row) for row in rows]

    async def donations(
        self, channel_id: int, *, before: int | None = None, limit: int = ENTRIES_MAX
    ) -> list[Received]:
        """Page through what a channel was given, newest first: at most `limit` with an id below `before`."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                """
                SELECT d.id, d.created_at AS at, coalesce(m.nickname, '') AS nickname,
                       d.amount AS points, d.message AS text, d.broadcast_id, r.transfer_id IS NOT NULL AS refunded
                FROM donation d
                LEFT JOIN member m ON m.id = d.donor_id AND NOT d.anonymous AND m.erased_at IS NULL
                LEFT JOIN refund r ON r.donation_id = d.id
                WHERE d.streamer_id = $1 AND d.status = 1 AND d.id < $2 ORDER BY d.id DESC LIMIT $3
                """,
                channel_id,
                _LAST_ID if before is None else before,
                min(limit, ENTRIES_MAX),
            )
        return [Received(**row) for row in rows]

    async def audit(self) -> list[str]:
        """Hold the books against their rules, one finding a line; none: they balance. Raises StoreUnavailable."""
        async with reading(self._pool) as connection, connection.transaction(readonly=True):
            await connection.execute(f"SET LOCAL statement_timeout = '{AUDIT_SECONDS_MAX}s'")
            rows = await connection.fetch(AUDIT, timeout=AUDIT_SECONDS_MAX)
        return [f"{row['rule']}: {row['subject']}: {row['detail']}" for row in rows]

    async def _settle_for_ever(self) -> None:
        try:
            while True:
                await self._wake.wait()
                batch = self._next_batch()
                if batch:
                    await self._settle(batch)
                elif self._open:
                    self._wake.clear()
                else:
                    return
        finally:
            self._open = False
            for request in self._waiting:  # only after a cancellation or a fault of ours
                request.refuse(StoreUnavailable("the ledger is closed"))

    def _next_batch(self) -> list[_Request]:
        """Take the oldest, at most one of each donor: the second click must be judged by the books after the first."""
        batch: list[_Request] = []
        donors: set[int] = set()
        deferred: deque[_Request] = deque()
        while self._waiting and len(batch) < BATCH_REQUESTS_MAX:
            request = self._waiting.popleft()
            donor_id = request.donation.donor_id
            if request.answer.done():  # its caller was cancelled before it was sent
                self._forget(donor_id)
            elif donor_id in donors:
                deferred.append(request)
            else:
                self._forget(donor_id)
                donors.add(donor_id)
                batch.append(request)
        deferred.extend(self._waiting)
        self._waiting = deferred
        return batch

    def _forget(self, donor_id: int) -> None:
        self._waiting_of[donor_id] -= 1
        if not self._waiting_of[donor_id]:
            del self._waiting_of[donor_id]

    async def _settle(self, batch: list[_Request]) -> None:
        """Answer every request of `batch`, whatever happens."""
        try:
            rows = await self._call(batch)
        except (StoreUnavailable, StoreUnknown) as error:
            # The store failed, not a request: the callers retry with the same ids.
            for request in batch:
                request.refuse(type(error)(error.reason))
        except Exception as error:  # noqa: BLE001 (nobody else could answer these callers)
            if len(batch) > 1:
                # One of them poisons the call: halve until it stands alone.
                middle = len(batch) // 2
                await self._settle(batch[:middle])
                await self._settle(batch[middle:])
            else:
                batch[0].refuse(error if isinstance(error, asyncpg.PostgresError) else _unknown(error))
        else:
            moved = [self._answer(batch[row["ordinal"] - 1], row) for row in rows]
            if any(moved) and self.on_settled is not None:
                self.on_settled()
        finally:
            for request in batch:  # only after a cancellation, with the call in flight
                request.refuse(StoreUnknown("the ledger was stopped"))

    async def _call(self, batch: list[_Request]) -> list[Mapping[str, Any]]:
        donations = [request.donation for request in batch]
        async with writing(self._pool) as connection:
            rows: list[Mapping[str, Any]] = await connection.fetch(
                "SELECT * FROM settle_donations($1, $2, $3, $4, $5, $6, $7)",
                [donation.id for donation in donations],
                [donation.donor_id for donation in donations],
                [donation.streamer_id for donation in donations],
                [donation.points for donation in donations],
                [donation.text for donation in donations],
                [donation.anonymous for donation in donations],
                [request.alert for request in batch],
            )
        return rows

    def _answer(self, request: _Request, row: Mapping[str, Any]) -> bool:
        """Answer one request by its verdict; tell whether points have moved now."""
        verdict = row["verdict"]
        if verdict in {"ok", "replay"}:
            if not request.answer.done():
                request.answer.set_result(Receipt(request.donation.id, row["points_left"], replay=verdict == "replay"))
            return bool(verdict == "ok")
        request.refuse(_refusal(verdict, request.donation))
        return False


# Above every identity column's value.
_LAST_ID = 2**63 - 1


def _refusal(verdict: str, donation: Donation) -> TransferError | StoreUnavailable:
    refusals: dict[str, TransferError] = {
        "insufficient": InsufficientPoints(donation.points),
        "key_conflict": IdReused(donation.id),
        "no_streamer": StreamerUnknown(donation.streamer_id),
        "no_wallet": WalletUnknown(donation.donor_id),
        "off_air": ChannelOffAir(donation.streamer_id),
        # Planned by db.transfer these two do not come so far.
        "bad_amount": AmountOutOfRange(donation.points),
        "self": DonationToSelf(),
    }
    # "again": two of one donor in one call, which _next_batch does not do.
    return refusals.get(verdict) or StoreUnavailable(f"verdict {verdict}")


def _unknown(error: Exception) -> StoreUnknown:
    unknown = StoreUnknown(type(error).__name__)
    unknown.__cause__ = error
    return unknown


def _entry(row: Mapping[str, Any]) -> Entry:
    return Entry(
        id=row["id"],
        at=row["created_at"],
        account=account_name(row["account"]),
        kind=KIND_NAMES[row["kind"]],
        points=row["points"],
        balance_after=row["after"],
        nickname=row["nickname"],
        text=row["message"] or "",
    )
