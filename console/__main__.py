"""Roof: the operator's desk: `./commeow`, `./commeow members add …`, `./commeow --help`."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import importlib.metadata
import json
import logging
import signal
import sys
import uuid
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.binaries import BinaryError
from console.embedded_server import EmbeddedError
from console.say import say
from routes.process import StartError
from routes.settings import SettingsError, from_environment

if TYPE_CHECKING:
    from collections.abc import Coroutine

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
REASON = "granted by the operator"


def words(text: str) -> str:
    """Read a text that may not be empty, in one line."""
    line = " ".join(text.split())
    if not line:
        raise argparse.ArgumentTypeError("say something")
    return line


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    whole = argparse.ArgumentParser(
        prog="commeow",
        description="A live-streaming house: OBS in, low-latency HLS out, RSocket chat, exact donations.",
        epilog="./commeow test runs the whole test suite. Settings: COMMEOW_… or commeow.toml, see README.",
    )
    verbs = whole.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    verbs.add_parser("up", help="start everything and stay (what no verb does too)")
    for_scripts = argparse.ArgumentParser(add_help=False)
    for_scripts.add_argument("--json", action="store_true", help="print JSON")
    verbs.add_parser("doctor", help="what this machine lacks, and the command that mends it", parents=[for_scripts])
    verbs.add_parser("migrate", help="bring the database up to this code", parents=[for_scripts])

    members = verbs.add_parser("members", help="add, grant, ban").add_subparsers(dest="what", required=True)
    add = members.add_parser("add", help="make a member with a channel", parents=[for_scripts])
    add.add_argument("login_id", metavar="LOGIN_ID")
    add.add_argument("nickname", metavar="NICKNAME")
    add.add_argument("--password-stdin", action="store_true", help="read the password's line instead of making one up")
    grant = members.add_parser("grant", help="give a member points", parents=[for_scripts])
    grant.add_argument("nickname", metavar="NICKNAME")
    grant.add_argument("points", metavar="POINTS", type=int)
    grant.add_argument("--reason", default=REASON, help="stands in the ledger")
    grant.add_argument("--id", type=uuid.UUID, help="of a grant whose outcome is unknown: it happens once")
    ban = members.add_parser("ban", help="close the house to a member", parents=[for_scripts])
    ban.add_argument("nickname", metavar="NICKNAME")

    key = verbs.add_parser("key", help="rotate a channel's stream key").add_subparsers(dest="what", required=True)
    rotate = key.add_parser("rotate", help="a new stream key; the old one is dead", parents=[for_scripts])
    rotate.add_argument("nickname", metavar="NICKNAME")

    ledger = verbs.add_parser("ledger", help="audit, report, export, verify, payout").add_subparsers(
        dest="what", required=True
    )
    ledger.add_parser("audit", help="exit code 0 only if the books balance", parents=[for_scripts])
    export = ledger.add_parser("export", help="write every sealed transfer into a file", parents=[for_scripts])
    export.add_argument("file", metavar="FILE", type=Path)
    report = ledger.add_parser("report", help="the figures and findings of one day", parents=[for_scripts])
    report.add_argument("--day", type=date.fromisoformat, help="YYYY-MM-DD, in UTC; without it yesterday")
    verify = ledger.add_parser("verify", help="exit code 0 only if an export is whole", parents=[for_scripts])
    verify.add_argument("file", metavar="FILE", type=Path)
    verify.add_argument("--head", metavar="NUMBER:DIGEST", help="a seal that was written down earlier")
    _payout_verbs(ledger.add_parser("payout", help="hold earnings, then say paid or return them"), for_scripts)
    orders = verbs.add_parser("orders", help="settle what hangs").add_subparsers(dest="what", required=True)
    orders.add_parser("reconcile", help="look up every order that is due at the provider", parents=[for_scripts])
    orders.add_parser("review", help="the orders that wait for a person; exit code 1 if any", parents=[for_scripts])
    settle = orders.add_parser("settle", help="end the review of an order", parents=[for_scripts])
    settle.add_argument("order", metavar="ORDER_ID", type=uuid.UUID)
    settle.add_argument("decision", choices=("credit", "close"), help="with its points in the wallet, or without them")
    settle.add_argument("--reason", required=True, type=words, help="stands in the books")
    settle.add_argument("--anyway", action="store_true", help="also when it does not fit what the provider says")
    verbs.add_parser("version", help="print the version", parents=[for_scripts])
    return whole


def _payout_verbs(payout: argparse.ArgumentParser, for_scripts: argparse.ArgumentParser) -> None:
    steps = payout.add_subparsers(dest="step", required=True)
    noted = argparse.ArgumentParser(add_help=False)
    noted.add_argument("--note", default="", help="stays in the books for ever: a number of yours, nobody's name")
    begin = steps.add_parser("begin", help="hold a streamer's earnings", parents=[for_scripts, noted])
    begin.add_argument("nickname", metavar="NICKNAME")
    begin.add_argument("points", metavar="POINTS", type=int)
    begin.add_argument("--id", type=uuid.UUID, help="of a payout whose outcome is unknown: it happens once")
    for step, words in (("paid", "the money has arrived"), ("return", "it has not and will not")):
        ending = steps.add_parser(step, help=words, parents=[for_scripts, noted])
        ending.add_argument("payout", metavar="PAYOUT_ID", type=uuid.UUID)
    steps.add_parser("list", help="what is held", parents=[for_scripts])


def version() -> str:
    """Return the version that is installed."""
    try:
        return importlib.metadata.version("commeow")
    except importlib.metadata.PackageNotFoundError:
        return "0 (not installed)"


def show(values: dict[str, Any], *, as_json: bool) -> None:
    """Print values, for a script or for a person."""
    if as_json:
        say(json.dumps(values, ensure_ascii=False))
        return
    width = max(len(name) for name in values) + 1
    for name, value in values.items():
        say(f"{name.replace('_', ' '):<{width}} {value}")


async def doctor(*, as_json: bool) -> int:
    """Look at the machine; exit code 0 if nothing is in the way."""
    from console.doctor import examine  # noqa: PLC0415 (each verb loads what it needs: --help stays quick)

    findings = await examine(from_environment())
    if as_json:
        say(json.dumps([dataclasses.asdict(finding) for finding in findings]))
    else:
        marks = {True: "ok", False: "MEND", None: "-"}
        for finding in findings:
            say(f"{marks[finding.ok]:<5}{finding.name:<10}{finding.words}")
    return 1 if any(finding.ok is False for finding in findings) else 0


async def at_the_desk(given: argparse.Namespace) -> int:
    """Do one verb of the desk."""
    from console import desk, ledger_desk, orders_desk, payout_desk  # noqa: PLC0415

    settings = from_environment()
    match given.verb, getattr(given, "what", None):
        case "members", "add":
            password = sys.stdin.readline().rstrip("\n") if given.password_stdin else None
            said = await desk.members_add(settings, given.login_id, given.nickname, password)
        case "members", "grant":
            said = await desk.members_grant(settings, given.nickname, given.points, given.reason, given.id)
        case "members", "ban":
            said = await desk.members_ban(settings, given.nickname)
        case "key", "rotate":
            said = await desk.key_rotate(settings, given.nickname)
        case "ledger", "payout":
            return await payout_desk.work(settings, given)
        case "orders", _:
            return await orders_desk.work(settings, given)
        case "migrate", _:
            said = {"applied": await desk.migrate_database(settings)}
        case _:
            return await ledger_desk.work(settings, given)
    show(said, as_json=given.json)
    return 0


async def stay_up() -> int:
    """Run the house until a signal; then exit code 0."""
    from console.up import up  # noqa: PLC0415

    house = asyncio.create_task(up())
    stopped = False

    def stop() -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            say("stopping")
            house.cancel()

    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        await house
    except asyncio.CancelledError:
        if not stopped:
            raise
    return 0


def troubles() -> tuple[type[Exception], ...]:
    """Return what an operator can mend: its text is the one line he reads."""
    from console.children import ChildFailed  # noqa: PLC0415
    from console.demo import DemoSpoilt  # noqa: PLC0415
    from db.channel import ChannelError  # noqa: PLC0415
    from db.errors import StoreError  # noqa: PLC0415
    from db.member import MemberError  # noqa: PLC0415
    from db.migrate import MigrationError  # noqa: PLC0415
    from db.order_errors import OrderError  # noqa: PLC0415
    from db.payout import PayoutError  # noqa: PLC0415
    from db.transfer import TransferError  # noqa: PLC0415

    ours = (BinaryError, EmbeddedError, ChildFailed, DemoSpoilt, SettingsError, StartError)
    return (*ours, ChannelError, MemberError, MigrationError, OrderError, PayoutError, StoreError, TransferError)


def work_for(given: argparse.Namespace) -> Coroutine[Any, Any, int]:
    """Return what the verb does."""
    match given.verb:
        case None | "up":
            return stay_up()
        case "doctor":
            return doctor(as_json=given.json)
        case _:
            return at_the_desk(given)


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; return the exit code."""
    given = parser().parse_args(arguments)
    if given.verb == "version":
        show({"version": version()}, as_json=given.json)
        return 0
    logging.basicConfig(level=logging.CRITICAL)  # What libraries of ours complain of is said by us, in one line.
    try:
        return asyncio.run(work_for(given))
    except KeyboardInterrupt:
        return 130
    except troubles() as error:
        sys.stderr.write(" ".join(str(error).splitlines()) + "\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
