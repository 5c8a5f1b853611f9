"""Roof: donations a second and CPU a donation on one hot streamer: our batches against the original's row locks.

Run: .venv/bin/python tests/bench/bench_donations.py [--rounds 5] [--seconds 2] [--in-flight 64] [--burst 1000]

Both ways run in turn inside each round, on the same PostgreSQL (fsync on) and the same number of connections, because
on a shared machine only ratios of the same minute mean something. CPU is the server's and ours, in microseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import statistics
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, not as a module

from console.embedded import PostgreSQL
from db.ledger import Ledger
from db.migrate import migrate
from db.pool import open_pool
from db.transfer import donation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import asyncpg

CONNECTIONS = 16
POINTS = 1_000_000_000
TEXT = "오늘도 방송 잘 보고 있어요, 고양이 간식 사 주세요!"


@dataclass
class Figures:
    """One way in one round."""

    per_second: float
    p50_ms: float
    p99_ms: float
    server_us: float
    client_us: float


def server_cpu_seconds(data: Path) -> float:
    """Sum the CPU time of every process of the server, those that have ended included."""
    postmaster = int((data / "postmaster.pid").read_text().split()[0])
    ticks = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(folder.name) == postmaster:
            ticks += sum(map(int, fields[11:15]))
        elif int(fields[1]) == postmaster:
            ticks += sum(map(int, fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


async def prepare(pool: asyncpg.Pool, donors: int) -> tuple[int, list[int]]:
    """Add a streamer and donors to our books, and the same people to the original's two tables."""
    await pool.execute(
        """
        INSERT INTO member (login_id, nickname, nickname_key, password_hash)
        SELECT 'm' || i, 'm' || i, 'm' || i, '' FROM generate_series(0, $1) i
        """,
        donors,
    )
    await pool.execute("SELECT open_accounts(id) FROM member")
    await pool.execute(
        """
        INSERT INTO channel (id, stream_key_hash) SELECT id, sha256(id::text::bytea) FROM member
        """
    )
    await pool.execute("INSERT INTO broadcast (channel_id, lease_until) SELECT id, now() + '1 day' FROM channel")
    await pool.execute("SELECT grant_points(gen_random_uuid(), id, $1, 'bench') FROM member", POINTS)
    await pool.execute("CREATE TABLE seed_member (id bigint PRIMARY KEY, points bigint NOT NULL)")
    await pool.execute(
        """
        CREATE TABLE seed_donation (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, donor_id bigint NOT NULL, streamer_id bigint NOT NULL,
            amount bigint NOT NULL, message text NOT NULL, created_at timestamptz NOT NULL DEFAULT now())
        """
    )
    await pool.execute("INSERT INTO seed_member SELECT id, $1 FROM member", POINTS)
    await pool.execute("VACUUM ANALYZE")
    ids = [row["id"] for row in await pool.fetch("SELECT id FROM member ORDER BY id")]
    return ids[0], ids[1:]


def our_way(ledger: Ledger, streamer: int) -> Callable[[int], Awaitable[None]]:
    async def give(donor: int) -> None:
        await ledger.give(donation(uuid.uuid4(), donor, streamer, 100, TEXT), b'{"kind":"donated"}')

    return give


def seeds_way(pool: asyncpg.Pool, streamer: int) -> Callable[[int], Awaitable[None]]:
    """Donate as the original's best version did: lock the streamer, lock the donor, write both, in seven statements."""

    async def give(donor: int) -> None:
        async with pool.acquire() as connection, connection.transaction():
            lock = "SELECT points FROM seed_member WHERE id = $1 FOR UPDATE"
            earned = await connection.fetchval(lock, streamer)
            left = await connection.fetchval(lock, donor)
            assert left >= 100
            await connection.execute("UPDATE seed_member SET points = $2 WHERE id = $1", streamer, earned + 100)
            await connection.execute("UPDATE seed_member SET points = $2 WHERE id = $1", donor, left - 100)
            await connection.execute(
                "INSERT INTO seed_donation (donor_id, streamer_id, amount, message) VALUES ($1, $2, 100, $3)",
                donor,
                streamer,
                TEXT,
            )

    return give


async def sustained(
    give: Callable[[int], Awaitable[None]], donors: list[int], data: Path, *, seconds: float, in_flight: int
) -> Figures:
    """Keep `in_flight` donations under way for `seconds`."""
    took_ms: list[float] = []
    turn = itertools.cycle(donors)
    server, client, began = server_cpu_seconds(data), time.process_time(), time.perf_counter()

    async def donor() -> None:
        while time.perf_counter() - began < seconds:
            asked = time.perf_counter()
            await give(next(turn))
            took_ms.append(1000 * (time.perf_counter() - asked))

    await asyncio.gather(*(donor() for _ in range(in_flight)))
    elapsed = time.perf_counter() - began
    took_ms.sort()
    return Figures(
        per_second=len(took_ms) / elapsed,
        p50_ms=took_ms[len(took_ms) // 2],
        p99_ms=took_ms[len(took_ms) * 99 // 100],
        server_us=1e6 * (server_cpu_seconds(data) - server) / len(took_ms),
        client_us=1e6 * (time.process_time() - client) / len(took_ms),
    )


async def burst_ms(give: Callable[[int], Awaitable[None]], donors: list[int]) -> float:
    """Let everybody donate at once; return how long the last one waited."""
    began = time.perf_counter()
    await asyncio.gather(*map(give, donors))
    return 1000 * (time.perf_counter() - began)


async def rounds(options: argparse.Namespace, folder: Path) -> AsyncIterator[tuple[str, Figures, float, float]]:
    """Yield, for each way of each round: its name, its figures, its burst, its idle median."""
    async with PostgreSQL(folder) as server:
        url = server.url()
        await migrate(url)
        pool = await open_pool(url, size=CONNECTIONS)
        streamer, donors = await prepare(pool, max(options.burst, 1000))
        async with Ledger(pool) as ledger:
            ways = {"seed": seeds_way(pool, streamer), "ours": our_way(ledger, streamer)}
            for give in ways.values():  # connections, prepared statements, plans
                await sustained(give, donors, server.data, seconds=0.3, in_flight=options.in_flight)
            for _ in range(options.rounds):
                for name, give in ways.items():
                    figures = await sustained(
                        give, donors, server.data, seconds=options.seconds, in_flight=options.in_flight
                    )
                    burst = await burst_ms(give, donors[: options.burst])
                    idle = await sustained(give, donors, server.data, seconds=options.seconds / 4, in_flight=1)
                    yield name, figures, burst, idle.p50_ms
            assert await ledger.audit() == []
        await pool.close()


async def main() -> None:
    """Measure and print medians over the rounds, and the ratio of the two ways round by round."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--burst", type=int, default=1000)
    options = parser.parse_args()
    seen: dict[str, list[tuple[Figures, float, float]]] = {"seed": [], "ours": []}
    with tempfile.TemporaryDirectory(prefix="commeow-bench-") as folder:
        async for name, *measured in rounds(options, Path(folder)):
            seen[name].append(tuple(measured))  # type: ignore[arg-type]

    print(f"one hot streamer, {options.in_flight} in flight, {options.rounds} rounds of {options.seconds} s, medians")
    print("way      donations/s  p50 ms  p99 ms  CPU us server + client  burst ms  idle p50 ms")
    for name, taken in seen.items():
        figures = [figure for figure, _, _ in taken]
        print(
            f"{name:<8} {statistics.median(f.per_second for f in figures):>11.0f}"
            f" {statistics.median(f.p50_ms for f in figures):>7.1f}"
            f" {statistics.median(f.p99_ms for f in figures):>7.1f}"
            f" {statistics.median(f.server_us for f in figures):>13.0f}"
            f" + {statistics.median(f.client_us for f in figures):<6.0f}"
            f" {statistics.median(burst for _, burst, _ in taken):>9.0f}"
            f" {statistics.median(idle for _, _, idle in taken):>12.2f}"
        )
    pairs = list(zip(seen["ours"], seen["seed"], strict=True))
    print(
        "ours / seed, round by round:"
        f" throughput x {statistics.median(o[0].per_second / s[0].per_second for o, s in pairs):.1f},"
        " CPU / "
        f"{statistics.median(sum_cpu(s[0]) / sum_cpu(o[0]) for o, s in pairs):.1f},"
        f" burst of {options.burst} x {statistics.median(s[1] / o[1] for o, s in pairs):.0f} sooner"
    )


def sum_cpu(figures: Figures) -> float:
    """Add the server's and our own CPU time of one donation."""
    return figures.server_us + figures.client_us


if __name__ == "__main__":
    asyncio.run(main())
