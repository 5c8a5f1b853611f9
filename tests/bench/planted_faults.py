"""Roof: faults planted into a copy of the money's code, one at a time: each must make a test fail.

Run: .venv/bin/python tests/bench/planted_faults.py [NAME …]

A test that stays green whatever breaks proves nothing. Each fault is a mistake that has been made elsewhere; what is
replaced must be there, so a fault that no longer fits the code is told too.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("console", "db", "media", "routes", "rsocket_server", "tests", "web", "pyproject.toml")
# Where the functions stand that the house runs: a fault in an older version of one would be no fault.
SETTLE = "db/migrations/20261126193300_settle_by_lookups.sql"
REFUND = "db/migrations/20261126185512_rulings.sql"
PAYOUT = "db/migrations/20261126190630_payouts.sql"
LEDGER = "tests/db/test_ledger.py"
SECONDS_MAX = 300


@dataclass(frozen=True)
class Fault:
    """What is replaced by what in which file (all of its places), and the tests that must notice."""

    file: str
    was: str
    now: str
    tests: tuple[str, ...]


FAULTS = {
    "no idempotency key": Fault(
        SETTLE,
        "WHERE d.donor_id = q.donor_id AND d.idem_key = q.idem_key\n",
        "WHERE d.donor_id = q.donor_id AND false\n",
        (LEDGER,),
    ),
    "the balance before the key": Fault(
        SETTLE,
        "                   WHEN d.status = 1 THEN 'replay'\n",
        "                   WHEN w.balance < q.amount THEN 'insufficient' WHEN d.status = 1 THEN 'replay'\n",
        (LEDGER,),
    ),
    "off air before the key": Fault(
        SETTLE,
        "                   WHEN d.status = 1 THEN 'replay'\n",
        "                   WHEN b.id IS NULL THEN 'off_air' WHEN d.status = 1 THEN 'replay'\n",
        (LEDGER,),
    ),
    "an id for anything": Fault(
        SETTLE,
        "(q.streamer_id, q.amount, q.message, q.anonymous) THEN 'key_conflict'",
        "(q.streamer_id, d.amount, q.message, q.anonymous) THEN 'key_conflict'",
        (LEDGER,),
    ),
    "a refusal not on record": Fault(
        SETTLE,
        "WHERE verdict IN ('ok', 'insufficient', 'no_streamer', 'off_air') AND NOT repeated",
        "WHERE verdict = 'ok' AND NOT repeated",
        (LEDGER,),
    ),
    "no row locks": Fault(
        SETTLE,
        "    WHERE id IN (SELECT unnest(donors) * 16 + 1 UNION SELECT unnest(streamers) * 16 + 2)\n",
        "    WHERE false AND id IN (SELECT unnest(donors) * 16 + 1 UNION SELECT unnest(streamers) * 16 + 2)\n",
        (LEDGER,),
    ),
    "no lock order": Fault(
        SETTLE,
        "UNION SELECT unnest(streamers) * 16 + 2)\n    ORDER BY id FOR NO KEY UPDATE",
        "UNION SELECT unnest(streamers) * 16 + 2)\n    ORDER BY random() FOR NO KEY UPDATE",
        (LEDGER,),
    ),
    "more than the wallet holds": Fault(
        SETTLE, "WHEN w.balance - w.min_balance < q.amount THEN 'insufficient'", "WHEN false THEN ''", (LEDGER,)
    ),
    "an alert for what was refused": Fault(
        SETTLE,
        "SELECT donation_id, streamer_id, payload FROM numbered WHERE verdict = 'ok' ORDER BY ordinal",
        "SELECT donation_id, streamer_id, payload FROM numbered ORDER BY ordinal",
        (LEDGER,),
    ),
    "publish before commit": Fault(
        "routes/donations.py",
        "        receipt = await self._ledger.give(planned, alert)\n",
        "        await self._ledger._pool.execute("
        '"INSERT INTO alert VALUES (-1, $1, $2)", streamer_id, alert)\n'
        "        receipt = await self._ledger.give(planned, alert)\n",
        ("tests/routes/test_donations.py",),
    ),
    "two clicks in one batch": Fault(
        "db/ledger.py", "            elif donor_id in donors:\n", "            elif donor_id in ():\n", (LEDGER,)
    ),
    "a poison row fells its batch": Fault("db/ledger.py", "if len(batch) > 1:", "if len(batch) > 10**9:", (LEDGER,)),
    "an unknown outcome called a refusal": Fault(
        "db/ledger.py",
        "request.refuse(type(error)(error.reason))",
        "request.refuse(InsufficientPoints(0))",
        (LEDGER,),
    ),
    "no drain at the end": Fault(
        "db/ledger.py",
        "            await self._settler\n",
        "            self._settler.cancel()\n            await asyncio.wait([self._settler])\n",
        (LEDGER,),
    ),
    "a refund without looking whether there was one": Fault(
        REFUND, "WHERE t.reverses = given.transfer_id", "WHERE false", (LEDGER,)
    ),
    "a refund of any channel's donation": Fault(
        REFUND, "WHERE d.id = gift AND d.streamer_id = channel AND", "WHERE d.id = gift AND", (LEDGER,)
    ),
    "a refund to who has left": Fault(
        REFUND, "    IF stays IS NOT TRUE THEN\n", "    IF false THEN\n", ("tests/routes/test_channel_donations.py",)
    ),
    "a plan of the first day": Fault(SETTLE, "OFFSET 0) d ON true", ") d ON true", (LEDGER,)),
    "a payout that is paid and returned": Fault(
        PAYOUT, "s.payout_id = asked.id AND s.step <> 'held'", "false", ("tests/db/test_payouts.py",)
    ),
    "a payout of what is not there": Fault(
        PAYOUT, "a.balance - a.min_balance < amount", "false", ("tests/db/test_payouts.py",)
    ),
    "points for money of another amount": Fault(
        "db/order.py",
        "return Event.CAPTURED if look.total_won == order.amount_won else Event.MISPAID",
        "return Event.CAPTURED",
        ("tests/db/test_order.py",),
    ),
    "a refusal of the provider believed": Fault(
        "routes/top_ups.py",
        "found = answer if isinstance(answer, Look) else await self._provider.look(order)",
        "found = answer if isinstance(answer, Look) else None if refused else await self._provider.look(order)",
        ("tests/routes/test_top_ups.py",),
    ),
    "a forged return in the right one's place": Fault(
        "db/orders.py",
        "pg_token = CASE WHEN unheard_at IS NULL THEN $2 ELSE pg_token END",
        "pg_token = $2",
        ("tests/db/test_orders.py",),
    ),
    "an alert shown twice": Fault(
        "rsocket_server/alert_relay.py",
        ', once=f"donation:{alert.donation_id}")',
        ")",
        ("tests/rsocket_server/test_alert_relay.py",),
    ),
    "the donor out of the payload": Fault(
        "routes/wire.py",
        "class Give(Struct, frozen=True, forbid_unknown_fields=True)",
        "class Give(Struct, frozen=True)",
        ("tests/routes/test_donations.py",),
    ),
    "the past can be written over": Fault(
        "db/migrations/20261125010100_ledger.sql",
        "CREATE TRIGGER transfer_is_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON transfer",
        "CREATE TRIGGER transfer_is_immutable BEFORE TRUNCATE ON transfer",
        ("tests/db/test_migrations.py", "tests/db/test_roles.py"),
    ),
    "a seal over what is under way": Fault(
        "db/seals.py",
        "pg_current_xact_id()::text::bigint",
        "pg_snapshot_xmax(pg_current_snapshot())::text::bigint",
        ("tests/db/test_seals.py",),
    ),
    "a seal that does not hold the one before": Fault(
        "db/seal.py",
        "self._digest = hashlib.sha256(written)",
        "self._digest = hashlib.sha256(GENESIS)",
        ("tests/db/test_seal.py",),
    ),
}


def plant(fault: Fault, house: Path) -> bool:
    """Put a fault into a copy; False if what it replaces is not there."""
    file = house / fault.file
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(fault.was, fault.now), encoding="utf-8")
    return fault.was in text


def is_caught(fault: Fault, house: Path) -> bool:
    """Run the tests that must notice, in the copy, until the first fails."""
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *fault.tests],
        cwd=house,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    lines = [line for line in ran.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    print(f"      {lines[0] if lines else ran.stdout.splitlines()[-1:]}", flush=True)
    return ran.returncode == 1 and bool(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(FAULTS))
    wanted = parser.parse_args().names or list(FAULTS)
    # The tests must be green without a fault, or red means nothing.
    control = Fault("db/ledger.py", "", "", tuple(sorted({test for name in wanted for test in FAULTS[name].tests})))
    missed = []
    for name in ("no fault", *wanted):
        fault = FAULTS.get(name, control)
        with tempfile.TemporaryDirectory(prefix="commeow-fault-") as folder:
            house = Path(folder)
            for each in COPIED:
                source = ROOT / each
                if source.is_dir():
                    shutil.copytree(source, house / each, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(source, house / each)
            print(name, flush=True)
            planted = fault is control or plant(fault, house)
            caught = planted and is_caught(fault, house)
        if fault is control:
            if caught:
                print("      the tests fail without a fault")
                return 1
        elif not caught:
            missed.append(name)
            print("      NOT CAUGHT", flush=True)
    print(f"{len(wanted) - len(missed)} of {len(wanted)} caught" + (f"; not: {', '.join(missed)}" if missed else ""))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
