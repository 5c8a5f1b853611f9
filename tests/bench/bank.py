"""Roof: the bank test: donations under kill -9 of PostgreSQL, of its backends and of our process; then one to one.

Run: .venv/bin/python tests/bench/bank.py [--donations 20000] [--kills 20] [--nodes 2] [--seed 1]

Nodes are processes of their own, each with a ledger and a journal of every answer it heard. A tenth of the intents are
sent twice at once. What a node does not know it sends again with the same id, as a browser does; a node that was killed
is started again and does so with all that its journal does not hold. After each kill the books are audited. At the end
every intent is compared with its effect, every id is sent once more, and the export is proved.

`run` is the same in small for the suite (tests/flows/test_bank.py).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, not as a module

import psutil

from console.embedded import PostgreSQL
from db.errors import StoreError
from db.ledger import Ledger
from db.migrate import migrate
from db.pool import open_pool
from db.roles import take_role
from db.seal import Proof
from db.seals import Seals
from db.transfer import ChannelOffAir, InsufficientPoints, TransferError, donation

if TYPE_CHECKING:
    import asyncpg

    from db.transfer import Donation

STREAMERS = 6  # the last one is off air
DONORS = 300
POINTS_MIN, POINTS_MAX = 1, 50
IN_FLIGHT = 64
TWICE_SHARE = 0.1
AGAIN_SECONDS = 0.02
# A lock, a statement and a restart of the server end before this; who waits longer has been forgotten.
ANSWER_SECONDS_MAX = 60.0
REFUSED = {InsufficientPoints: "insufficient", ChannelOffAir: "off_air"}


# --- a node: python bank.py --node URL INTENTS JOURNAL --------------------------------------------------------------


def read_intents(path: Path) -> list[Donation]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [donation(uuid.UUID(id_), donor, streamer, points, text) for id_, donor, streamer, points, text in rows]


def read_journal(path: Path) -> dict[uuid.UUID, set[str]]:
    """Every answer that an id has heard; more than one is a contradiction. A line that a kill has cut counts not."""
    heard: dict[uuid.UUID, set[str]] = {}
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    for line in text.rpartition("\n")[0].splitlines():
        id_, _, answer = line.partition(" ")
        with contextlib.suppress(ValueError):
            heard.setdefault(uuid.UUID(id_), set()).add(answer)
    return heard


async def ask(ledger: Ledger, intent: Donation) -> str:
    """Send an intent until its outcome is known, always with the same id."""
    while True:
        try:
            receipt = await ledger.give(intent, intent.id.bytes)
        except StoreError:
            await asyncio.sleep(AGAIN_SECONDS)
        except TransferError as error:
            return REFUSED[type(error)]
        else:
            return f"left {receipt.points_left}"


async def node(url: str, intents: Path, journal: Path) -> None:
    heard = read_journal(journal)
    waiting = [intent for intent in reversed(read_intents(intents)) if intent.id not in heard]
    while True:
        try:
            pool = await open_pool(url, size=4, application_name="bank node", on_connect=take_role)
            break
        except StoreError:
            await asyncio.sleep(AGAIN_SECONDS)
    with journal.open("a", encoding="utf-8", buffering=1) as said:
        said.write("\n")  # ends what a kill may have cut
        async with Ledger(pool) as ledger:

            async def client() -> None:
                while waiting:
                    intent = waiting.pop()
                    times = 2 if intent.id.int % 1000 < 1000 * TWICE_SHARE else 1
                    async with asyncio.timeout(ANSWER_SECONDS_MAX):
                        for answer in await asyncio.gather(*(ask(ledger, intent) for _ in range(times))):
                            said.write(f"{intent.id} {answer}\n")

            await asyncio.gather(*(client() for _ in range(IN_FLIGHT)))
    pool.terminate()


# --- the bank --------------------------------------------------------------------------------------------------------


@dataclass
class Outcome:
    """What the bank test has seen; `faults` is empty if it holds."""

    donations: int
    seconds: float = 0.0
    kills: Counter[str] = field(default_factory=Counter)
    audits: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


class Bank:
    """PostgreSQL under our supervision, nodes, and someone who kills them."""

    def __init__(self, folder: Path, outcome: Outcome, chance: random.Random, *, durable: bool) -> None:
        self.folder = folder
        self.outcome = outcome
        self.chance = chance
        self.server = PostgreSQL(folder / "postgres", durable=durable)
        self.nodes: list[asyncio.subprocess.Process] = []

    async def keep(self) -> None:
        """Start PostgreSQL again whenever it ends, as the console does."""
        while True:
            await self.server.wait()
            await self.server.restart()

    async def start_node(self, number: int) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            __file__,
            "--node",
            self.server.url(),
            str(self.folder / f"intents{number}"),
            str(self.folder / f"journal{number}"),
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        )

    async def kill(self, what: str) -> None:
        postmaster = psutil.Process(int((self.server.data / "postmaster.pid").read_text().split()[0]))
        self.outcome.kills[what] += 1
        if what == "postgres":
            for victim in [postmaster, *postmaster.children()]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    victim.kill()
        elif what == "backend":
            with contextlib.suppress(psutil.NoSuchProcess, IndexError):
                clients = [each for each in postmaster.children() if "[local]" in " ".join(each.cmdline())]
                self.chance.choice(clients).kill()
        else:
            number = self.chance.randrange(len(self.nodes))
            if self.nodes[number].returncode is None:
                self.nodes[number].send_signal(signal.SIGKILL)
                await self.nodes[number].wait()
                self.nodes[number] = await self.start_node(number)

    def heard(self) -> int:
        return sum(path.read_bytes().count(b"\n") for path in self.folder.glob("journal*"))

    async def audit(self, *, within: float = ANSWER_SECONDS_MAX) -> None:
        async with asyncio.timeout(within):
            while True:
                try:
                    pool = await open_pool(self.server.url(), size=1, application_name="bank audit")
                    try:
                        self.outcome.faults += await Ledger(pool).audit()
                    finally:
                        pool.terminate()
                except StoreError:
                    await asyncio.sleep(AGAIN_SECONDS)
                else:
                    self.outcome.audits += 1
                    return

    async def run(self, intents: list[Donation], kills: list[str], nodes: int) -> None:
        for number in range(nodes):
            lines = [
                json.dumps([str(each.id), each.donor_id, each.streamer_id, each.points, each.text])
                for each in intents[number::nodes]
            ]
            (self.folder / f"intents{number}").write_text("\n".join(lines), encoding="utf-8")
        self.nodes = [await self.start_node(number) for number in range(nodes)]
        for turn, what in enumerate(kills, 1):
            due = len(intents) * turn // (len(kills) + 1)
            while self.heard() < due and any(each.returncode is None for each in self.nodes):
                await asyncio.sleep(0.005)
            await self.kill(what)
            await self.audit()
        for number in range(nodes):
            while await self.nodes[number].wait() != 0:
                self.outcome.faults.append(f"node {number} ended with {self.nodes[number].returncode}")
                return


async def people(pool: asyncpg.Pool, purse: int) -> tuple[list[int], list[int]]:
    await pool.execute(
        """
        INSERT INTO member (login_id, nickname, nickname_key, password_hash)
        SELECT 'm' || i, 'm' || i, 'm' || i, '' FROM generate_series(1, $1) i
        """,
        STREAMERS + DONORS,
    )
    ids = [row["id"] for row in await pool.fetch("SELECT id FROM member ORDER BY id")]
    streamers, donors = ids[:STREAMERS], ids[STREAMERS:]
    await pool.execute("INSERT INTO channel (id, stream_key_hash) SELECT id, sha256(id::text::bytea) FROM member")
    await pool.execute("SELECT open_accounts(id) FROM member")
    await pool.execute(
        "INSERT INTO broadcast (channel_id, lease_until) SELECT i, now() + '1 day' FROM unnest($1::bigint[]) i",
        streamers[:-1],
    )
    await pool.execute(
        "SELECT grant_points(gen_random_uuid(), i, $2, 'bank') FROM unnest($1::bigint[]) i", donors, purse
    )
    return streamers, donors


def plan(chance: random.Random, count: int, streamers: list[int], donors: list[int]) -> list[Donation]:
    """Most go to one hot streamer; some to one who is off air."""
    weights = [10, 3, 3, 2, 1, 1]
    return [
        donation(
            uuid.UUID(int=chance.getrandbits(128), version=4),
            chance.choice(donors),
            chance.choices(streamers, weights)[0],
            chance.randint(POINTS_MIN, POINTS_MAX),
            f"{number} 냥",
        )
        for number in range(count)
    ]


async def compare(pool: asyncpg.Pool, bank: Bank, intents: list[Donation], purse: int, off_air: int) -> None:
    """Hold every intent against its answers and its effect, one to one, without believing the audit."""
    outcome = bank.outcome
    heard: dict[uuid.UUID, set[str]] = {}
    for path in bank.folder.glob("journal*"):
        for id_, answers in read_journal(path).items():
            heard.setdefault(id_, set()).update(answers)
    effects: dict[uuid.UUID, list[Any]] = {}
    for row in await pool.fetch(
        """
        SELECT d.idem_key, d.status, t.debit_account, t.credit_account, t.amount, a.payload
        FROM donation d
        LEFT JOIN transfer t ON t.kind = 1 AND t.id = d.transfer_id
        LEFT JOIN alert a ON a.donation_id = d.id
        """
    ):
        effects.setdefault(row["idem_key"], []).append(row)
    spent: Counter[int] = Counter()
    async with Ledger(pool) as ledger:
        again = await asyncio.gather(*(bounded(ledger, intent) for intent in intents))
    for intent, repeated in zip(intents, again, strict=True):
        answers = heard.get(intent.id, set())
        outcome.answers[repeated.partition(" ")[0]] += 1
        if answers != {repeated}:
            outcome.faults.append(f"{intent.id}: heard {sorted(answers)}, again {repeated}")
        rows = effects.get(intent.id, [])
        accepted = repeated.startswith("left")
        if accepted:
            spent[intent.donor_id] += intent.points
        if (repeated == "off_air") != (intent.streamer_id == off_air):
            outcome.faults.append(f"{intent.id}: {repeated} by a streamer who is{' not' * accepted} on air")
        due = (
            (1, intent.donor_id * 16 + 1, intent.streamer_id * 16 + 2, intent.points, intent.id.bytes)
            if accepted
            else ({"insufficient": 2, "off_air": 4}[repeated], None, None, None, None)
        )
        if [tuple(row)[1:] for row in rows] != [due]:
            outcome.faults.append(f"{intent.id}: {[tuple(row)[1:] for row in rows]} instead of {due}")
    left = {row["owner_id"]: row["balance"] for row in await pool.fetch("SELECT * FROM account WHERE kind = 1")}
    outcome.faults += [
        f"donor {donor} has {left[donor]} of {purse}, gave {points}"
        for donor, points in spent.items()
        if left[donor] != purse - points
    ]
    moved = await pool.fetchval("SELECT count(*) FROM transfer WHERE kind = 1")
    if moved != outcome.answers["left"]:
        outcome.faults.append(f"{moved} transfers for {outcome.answers['left']} donations")


_ENOUGH = asyncio.Semaphore(IN_FLIGHT)


async def bounded(ledger: Ledger, intent: Donation) -> str:
    async with _ENOUGH:
        return await ask(ledger, intent)


async def prove(pool: asyncpg.Pool, outcome: Outcome) -> None:
    lines: list[str] = []
    await Seals(pool).seal_all()
    await Seals(pool).export(lines.append)
    proof = Proof()
    for line in "".join(lines).splitlines(keepends=True):
        proof.feed(line)
    outcome.faults += proof.finish()


async def run(
    folder: Path, *, donations: int, kills: list[str], nodes: int = 2, seed: int = 1, durable: bool = True
) -> Outcome:
    """Run the whole test in `folder` and tell what came of it."""
    chance = random.Random(seed)
    outcome = Outcome(donations)
    began = time.perf_counter()
    bank = Bank(folder, outcome, chance, durable=durable)
    purse = donations // DONORS * (POINTS_MIN + POINTS_MAX) // 2  # about half of them run dry in the end
    async with bank.server:
        await migrate(bank.server.url())
        pool = await open_pool(bank.server.url(), application_name="bank")
        streamers, donors = await people(pool, purse)
        pool.terminate()
        intents = plan(chance, donations, streamers, donors)
        keeper = asyncio.create_task(bank.keep())
        try:
            await bank.run(intents, kills, nodes)
            pool = await open_pool(bank.server.url(), application_name="bank")
            await compare(pool, bank, intents, purse, streamers[-1])
            await prove(pool, outcome)
            pool.terminate()
            await bank.audit()
        finally:
            keeper.cancel()
            await asyncio.wait([keeper])
            for each in bank.nodes:
                if each.returncode is None:
                    each.kill()
                    await each.wait()
    outcome.seconds = time.perf_counter() - began
    return outcome


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--donations", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    kills = [("postgres", "backend", "node")[number % 3] for number in range(options.kills)]
    with tempfile.TemporaryDirectory(prefix="commeow-bank-") as folder:
        outcome = await run(
            Path(folder), donations=options.donations, kills=kills, nodes=options.nodes, seed=options.seed
        )
    print(f"{outcome.donations} donations in {outcome.seconds:.0f} s, {dict(outcome.kills)} killed")
    print(f"answers {dict(outcome.answers)}, {outcome.audits} audits")
    for fault in outcome.faults[:20]:
        print(f"FAULT {fault}")
    print(f"{len(outcome.faults)} faults")
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--node"]:
        asyncio.run(node(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])))
    else:
        sys.exit(asyncio.run(main()))
