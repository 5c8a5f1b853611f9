"""Roof: the operator's verbs on payouts: `./commeow ledger payout …`. Each says what it found and answers its code."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from console.desk import known, open_desk
from console.say import say
from db.errors import StoreUnknown
from db.payouts import PAYOUTS_MAX, Payouts
from routes.process import StartError

if TYPE_CHECKING:
    import argparse

    from db.payout import Payout
    from routes.settings import Settings


async def work(settings: Settings, given: argparse.Namespace) -> int:
    """Do one verb. Raises PayoutError, MemberUnknown, StoreError, StartError."""
    async with open_desk(settings) as (pool, _):
        payouts = Payouts(pool)
        match given.step:
            case "begin":
                member = await known(pool, given.nickname)
                payout_id = given.id or uuid.uuid4()
                try:
                    payout = await payouts.begin(payout_id, member.id, given.points, given.note)
                except StoreUnknown as error:
                    # Only with the same id is a second try the same payout.
                    raise StartError(
                        f"it is not known whether this took effect: repeat it with --id {payout_id}"
                    ) from error
            case "paid" | "return":
                payout = await payouts.end(given.payout, given.note, is_paid=given.step == "paid")
            case _:
                return show_all(await payouts.held(), as_json=given.json)
    if given.json:
        say(json.dumps(_as_json(payout), ensure_ascii=False))
    else:
        say(_line(payout))
    return 0


def show_all(held: list[Payout], *, as_json: bool) -> int:
    """Say which payouts wait for their end."""
    if as_json:
        say(json.dumps([_as_json(payout) for payout in held], ensure_ascii=False))
    else:
        for payout in held:
            say(_line(payout))
        of_some = f" by the oldest {PAYOUTS_MAX}; end some to see others" if len(held) == PAYOUTS_MAX else ""
        say(f"{sum(payout.points for payout in held)} points held{of_some}" if held else "nothing is held")
    return 0


def _as_json(payout: Payout) -> dict[str, Any]:
    return {
        "id": str(payout.id),
        "member": payout.member_id,
        "points": payout.points,
        "step": payout.step,
        "note": payout.note,
        "end_note": payout.end_note,
        "since": payout.created_at.isoformat(),
    }


def _line(payout: Payout) -> str:
    notes = " · ".join(note for note in (payout.note, payout.end_note) if note)
    return f"{payout.id}  {payout.step}  {payout.points} points of member {payout.member_id}  {notes}".rstrip()
