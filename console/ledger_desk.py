"""Roof: the operator's verbs on the books: `./commeow ledger …`. Each says what it found and answers the exit code."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.desk import open_desk
from console.say import say
from db.bookkeeper import Bookkeeper, last_day_over
from db.ledger import Ledger
from db.seal import Proof, read_head
from db.seals import Seals
from routes.process import StartError

if TYPE_CHECKING:
    import argparse
    from datetime import date
    from pathlib import Path

    from routes.settings import Settings


async def work(settings: Settings, given: argparse.Namespace) -> int:
    """Do one verb. Raises StoreError, StartError."""
    match given.what:
        case "export":
            return await export(settings, given.file, as_json=given.json)
        case "report":
            return await report(settings, given.day, as_json=given.json)
        case "verify":
            return verify(given.file, given.head, as_json=given.json)
        case _:
            return await audit(settings, as_json=given.json)


async def audit(settings: Settings, *, as_json: bool) -> int:
    """Say whether the books balance."""
    async with open_desk(settings) as (pool, _):
        findings = await Ledger(pool).audit()
    if as_json:
        say(json.dumps({"balanced": not findings, "findings": findings}, ensure_ascii=False))
    else:
        for finding in findings:
            say(finding)
        say("the books do not balance" if findings else "the books balance")
    return 1 if findings else 0


async def export(settings: Settings, file: Path, *, as_json: bool) -> int:
    """Seal what is settled and write the books into `file`, whole or not at all."""
    part = file.with_name(f"{file.name}.part")
    async with open_desk(settings) as (pool, _):
        seals = Seals(pool)
        await seals.seal_all()
        try:
            with part.open("w", encoding="ascii") as writing:
                written = await seals.export(writing.write)
            part.replace(file)
        except OSError as error:
            raise StartError(f"{file} cannot be written ({error.strerror})") from error
    head = None if written.head is None else str(written.head)
    if as_json:
        said = {"file": str(file), "transfers": written.transfers, "seals": written.seals, "head": head}
        say(json.dumps(said))
    else:
        say(f"{written.transfers} transfers under {written.seals} seals in {file}")
        if head is not None:
            say(f"head {head}: keep it elsewhere; `ledger verify {file} --head …` holds all before it to it")
    return 0


async def report(settings: Settings, day: date | None, *, as_json: bool) -> int:
    """Say what a day that is over has brought; the first who asks, by night the sidecar, makes and keeps it."""
    over = last_day_over(datetime.now(UTC))
    wanted = day or over
    if wanted > over:
        raise StartError(f"{wanted} is not over yet (UTC)")
    async with open_desk(settings) as (pool, _):
        kept = await Bookkeeper(pool).report(wanted)
    if as_json:
        said = {"day": str(kept.day), "balanced": not kept.findings, "lines": kept.lines, "findings": kept.findings}
        say(json.dumps(said, ensure_ascii=False))
    else:
        for line in (f"{kept.day} (UTC)", *kept.lines, *kept.findings):
            say(line)
        say("the books did not balance" if kept.findings else "the books balanced")
    return 1 if kept.findings else 0


def verify(file: Path, expected: str | None, *, as_json: bool) -> int:
    """Say whether an export is whole: its chain, its sums, and the seal that was written down, if one is given."""
    head = None if expected is None else read_head(expected)
    if expected is not None and head is None:
        raise StartError("--head takes what an export or a report printed: NUMBER:DIGEST")
    proof = Proof(head)
    try:
        with file.open(encoding="ascii", errors="replace") as lines:
            for line in lines:
                proof.feed(line)
    except OSError as error:
        raise StartError(f"{file} cannot be read ({error.strerror})") from error
    findings = proof.finish()
    if as_json:
        said = {
            "whole": not findings,
            "transfers": proof.transfers,
            "head": str(proof.head or ""),
            "findings": findings,
        }
        say(json.dumps(said))
    else:
        for finding in findings:
            say(finding)
        words = f"{proof.transfers} transfers, head {proof.head or '-'}"
        say(f"NOT the books that were sealed: {words}" if findings else f"the export is whole: {words}")
    return 1 if findings else 0
