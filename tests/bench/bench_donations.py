"""Roof: donations a second, latency and CPU a donation: our batches against three other ways, in the same rounds.

Run: .venv/bin/python tests/bench/bench_donations.py [--rounds 5] [--seconds 2] [--in-flight 64] [--burst 1000]

seed: the original's way, row locks over seven statements. call: one call of our function a donation. tpc-b: pgbench's
built-in transaction, scale 1 against one hot streamer and scale 100 against a hundred. sealed: ours, with the seals
made ten times as often as the house makes them. All ways run in turn inside each round, on the same PostgreSQL (fsync
on) and the same number of connections, because on a shared machine only ratios of the same minute mean something. CPU
is the server's and the client's, in microseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import os
import resource
import statistics
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, not as a module

import asyncpg
import uvloop

from console.binaries import find_postgres
from console.embedded import PostgreSQL
from db.ledger import Ledger
from db.migrate import migrate
from db.pool import open_pool
from db.seals import Seals
from db.transfer import donation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Give = Callable[[int], Awaitable[None]]

CONNECTIONS = 16
POINTS = 1_000_000
GRANTS = 40
TEXT = "오늘도 방송 잘 보고 있어요, 고양이 간식 사 주세요!"
STREAMERS = (1, 100)
DONATION_POINTS = 100


@dataclass
class Figures:
    """One way in one round."""

    per_second: float
    p50_ms: float
    p99_ms: float
    server_us: float
    client_us: float
    burst_ms: float | None = None
    idle_ms: float | None = None

    @property
    def cpu_us(self) -> float:
        return self.server_us + self.client_us


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


async def prepare(pool: asyncpg.Pool, donors: int) -> tuple[list[int], list[int]]:
    """Add streamers on air and donors to our books, and the same people to the original's two tables."""
    await pool.execute(
        """
        INSERT INTO member (login_id, nickname, nickname_key, password_hash)
        SELECT 'm' || i, 'm' || i, 'm' || i, '' FROM generate_series(1, $1) i
        """,
        donors + max(STREAMERS),
    )
    await pool.execute("INSERT INTO channel (id, stream_key_hash) SELECT id, sha256(id::text::bytea) FROM member")
    await pool.execute("INSERT INTO broadcast (channel_id, lease_until) SELECT id, now() + '1 day' FROM channel")
    await pool.execute("SELECT open_accounts(id) FROM member")
    for _ in range(GRANTS):
        await pool.execute("SELECT grant_points(gen_random_uuid(), id, $1, 'bench') FROM member", POINTS, timeout=60)
    await pool.execute("CREATE TABLE seed_member (id bigint PRIMARY KEY, points bigint NOT NULL)")
    await pool.execute(
        """
        CREATE TABLE seed_donation (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, donor_id bigint NOT NULL, streamer_id bigint NOT NULL,
            amount bigint NOT NULL, message text NOT NULL, created_at timestamptz NOT NULL DEFAULT now())
        """
    )
    await pool.execute("INSERT INTO seed_member SELECT id, $1 FROM member", POINTS * GRANTS)
    await pool.execute("VACUUM ANALYZE")
    ids = [row["id"] for row in await pool.fetch("SELECT id FROM member ORDER BY id")]
    return ids[: max(STREAMERS)], ids[max(STREAMERS) :]


def our_way(ledger: Ledger, streamers: list[int]) -> Give:
    async def give(donor: int) -> None:
        streamer = streamers[donor % len(streamers)]
        await ledger.give(donation(uuid.uuid4(), donor, streamer, DONATION_POINTS, TEXT), b'{"kind":"donated"}')

    return give


def call_way(pool: asyncpg.Pool, streamers: list[int]) -> Give:
    """Settle each donation by a call of its own: what our function costs without the batch."""

    async def give(donor: int) -> None:
        [row] = await pool.fetch(
            "SELECT * FROM settle_donations($1, $2, $3, $4, $5, $6, $7)",
            [uuid.uuid4()],
            [donor],
            [streamers[donor % len(streamers)]],
            [DONATION_POINTS],
            [TEXT],
            [False],
            [b'{"kind":"donated"}'],
        )
        assert row["verdict"] == "ok"

    return give


def seeds_way(pool: asyncpg.Pool, streamers: list[int]) -> Give:
    """Donate as the original's best version did: lock the streamer, lock the donor, write both, in seven statements."""

    async def give(donor: int) -> None:
        streamer = streamers[donor % len(streamers)]
        async with pool.acquire() as connection, connection.transaction():
            lock = "SELECT points FROM seed_member WHERE id = $1 FOR UPDATE"
            earned = await connection.fetchval(lock, streamer)
            left = await connection.fetchval(lock, donor)
            assert left >= DONATION_POINTS
            write = "UPDATE seed_member SET points = $2 WHERE id = $1"
            await connection.execute(write, streamer, earned + DONATION_POINTS)
            await connection.execute(write, donor, left - DONATION_POINTS)
            await connection.execute(
                "INSERT INTO seed_donation (donor_id, streamer_id, amount, message) VALUES ($1, $2, $3, $4)",
                donor,
                streamer,
                DONATION_POINTS,
                TEXT,
            )

    return give


async def sustained(give: Give, donors: list[int], data: Path, *, seconds: float, in_flight: int) -> Figures:
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
    return figures_of(took_ms, elapsed, server_cpu_seconds(data) - server, time.process_time() - client)


def figures_of(took_ms: list[float], elapsed: float, server_seconds: float, client_seconds: float) -> Figures:
    took_ms.sort()
    return Figures(
        per_second=len(took_ms) / elapsed,
        p50_ms=took_ms[len(took_ms) // 2],
        p99_ms=took_ms[len(took_ms) * 99 // 100],
        server_us=1e6 * server_seconds / len(took_ms),
        client_us=1e6 * client_seconds / len(took_ms),
    )


async def burst_ms(give: Give, donors: list[int]) -> float:
    """Let everybody donate at once; return how long the last one waited."""
    began = time.perf_counter()
    await asyncio.gather(*map(give, donors))
    return 1000 * (time.perf_counter() - began)


class PgBench:
    """pgbench of the same installation, on databases of its own in the same server."""

    def __init__(self, server: PostgreSQL, folder: Path) -> None:
        self._program = find_postgres(server.data, server.data_major()).folder / "pgbench"
        self._data = server.data
        self._where = ["-h", str(server.socket_path.parent), "-U", "postgres"]
        self._logs = folder / "pgbench"
        self._logs.mkdir()

    async def prepare(self, pool: asyncpg.Pool) -> bool:
        """Make the two databases; False if this installation has no pgbench."""
        if not self._program.exists():
            return False
        for scale in STREAMERS:
            await pool.execute(f"CREATE DATABASE tpcb{scale}")
            await self._run("-i", "-q", "-s", str(scale), f"tpcb{scale}")
        return True

    async def run(self, scale: int, seconds: float) -> Figures:
        server, client = server_cpu_seconds(self._data), self._cpu_seconds()
        began = time.perf_counter()
        await self._run(
            *("-n", "-M", "prepared", "-b", "tpcb-like", "-c", str(CONNECTIONS), "-j", "2"),
            *("-T", str(max(1, round(seconds))), "-l", "--log-prefix", str(self._logs / "log"), f"tpcb{scale}"),
        )
        elapsed = time.perf_counter() - began
        took_ms = []
        for log in self._logs.iterdir():
            took_ms += [int(line.split()[2]) / 1000 for line in log.read_text().splitlines()]
            log.unlink()
        return figures_of(took_ms, elapsed, server_cpu_seconds(self._data) - server, self._cpu_seconds() - client)

    @staticmethod
    def _cpu_seconds() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    async def _run(self, *words: str) -> None:
        process = await asyncio.create_subprocess_exec(
            self._program,
            *self._where,
            *words,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, complained = await process.communicate()
        assert process.returncode == 0, complained.decode()


@contextlib.asynccontextmanager
async def sealing(pool: asyncpg.Pool) -> AsyncIterator[None]:
    """Make seals every second, as the bookkeeper does every ten."""
    seals = Seals(pool)

    async def seal() -> None:
        while True:
            await seals.advance()
            await asyncio.sleep(1)

    task = asyncio.create_task(seal())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def measure(give: Give, donors: list[int], data: Path, options: argparse.Namespace) -> Figures:
    figures = await sustained(give, donors, data, seconds=options.seconds, in_flight=options.in_flight)
    figures.burst_ms = await burst_ms(give, donors[: options.burst])
    figures.idle_ms = (await sustained(give, donors, data, seconds=options.seconds / 4, in_flight=1)).p50_ms
    return figures


async def rounds(options: argparse.Namespace, folder: Path) -> AsyncIterator[tuple[int, str, Figures]]:
    """Yield, for each way of each round: how many streamers, the way, its figures."""
    async with PostgreSQL(folder / "postgres") as server:
        url = server.url()
        await migrate(url)
        pool = await open_pool(url, size=CONNECTIONS)
        # Without our time-outs: on a busy machine the original's way waits longer for its lock than we let anyone wait.
        patient = await asyncpg.create_pool(url, min_size=CONNECTIONS, max_size=CONNECTIONS)
        sealer = await open_pool(url, size=1)
        streamers, donors = await prepare(pool, max(options.burst, 1000))
        pgbench = PgBench(server, folder)
        has_pgbench = await pgbench.prepare(pool)
        async with Ledger(pool) as ledger:
            for turn in range(options.rounds + 1):  # the first is for connections, prepared statements, plans
                for count in STREAMERS:
                    to = streamers[:count]
                    ways = {"seed": seeds_way(patient, to), "call": call_way(patient, to), "ours": our_way(ledger, to)}
                    for name, give in ways.items():
                        figures = await measure(give, donors, server.data, options)
                        if turn:
                            yield count, name, figures
                    async with sealing(sealer):
                        figures = await measure(our_way(ledger, to), donors, server.data, options)
                    if turn:
                        yield count, "sealed", figures
                    if has_pgbench:
                        figures = await pgbench.run(count, options.seconds)
                        if turn:
                            yield count, "tpc-b", figures
            await Seals(pool).seal_all()
            assert await ledger.audit() == []
        await sealer.close()
        await patient.close()
        await pool.close()


def show(count: int, seen: dict[str, list[Figures]], options: argparse.Namespace) -> None:
    """Print medians over the rounds, and ratios round by round."""
    print(
        f"\n{count} streamer(s), {options.in_flight} in flight, {options.rounds} rounds of {options.seconds} s, medians"
    )
    print("way      donations/s  p50 ms  p99 ms  CPU us server + client  burst ms  idle p50 ms")
    for name, taken in seen.items():

        def median(field: str, taken: list[Figures] = taken) -> float:
            return statistics.median(getattr(each, field) or 0 for each in taken)

        rest = "" if name == "tpc-b" else f" {median('burst_ms'):>9.0f} {median('idle_ms'):>12.2f}"
        print(
            f"{name:<8} {median('per_second'):>11.0f} {median('p50_ms'):>7.1f} {median('p99_ms'):>7.1f}"
            f" {median('server_us'):>13.0f} + {median('client_us'):<6.0f}{rest}"
        )
    for name in [each for each in seen if each not in {"ours", "sealed"}]:
        pairs = list(zip(seen["ours"], seen[name], strict=True))
        words = f"ours / {name:<6} x {statistics.median(o.per_second / s.per_second for o, s in pairs):.1f},"
        words += f" CPU / {statistics.median(s.cpu_us / o.cpu_us for o, s in pairs):.1f}"
        if name != "tpc-b":
            words += f", burst of {options.burst} x {statistics.median(s.burst_ms / o.burst_ms for o, s in pairs):.0f}"
            words += f" sooner, idle x {statistics.median(s.idle_ms / o.idle_ms for o, s in pairs):.2f} sooner"
        print(words)
    pairs = list(zip(seen["sealed"], seen["ours"], strict=True))
    print(
        f"sealed / ours x {statistics.median(s.per_second / o.per_second for s, o in pairs):.2f},"
        f" CPU + {statistics.median(s.cpu_us - o.cpu_us for s, o in pairs):.1f} us"
    )


async def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--burst", type=int, default=1000)
    options = parser.parse_args()
    seen: dict[int, dict[str, list[Figures]]] = {}
    with tempfile.TemporaryDirectory(prefix="commeow-bench-") as folder:
        async for count, name, figures in rounds(options, Path(folder)):
            seen.setdefault(count, {}).setdefault(name, []).append(figures)
    if "tpc-b" not in seen[1]:
        print("this PostgreSQL came without pgbench: no TPC-B beside it")
    for count, ways in seen.items():
        show(count, ways, options)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # As the processes of the house run.
        runner.run(main())
