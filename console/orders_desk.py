"""Roof: the operator's verbs on orders: `./commeow orders …`. Each says what it found and answers the exit code."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aiohttp

from console.desk import open_desk
from console.say import say
from db.order import kept_won
from db.order_reviews import OrderReviews
from db.orders import Orders
from routes import kakaopay
from routes.reviews import Reviews
from routes.top_ups import TopUps

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator
    from uuid import UUID

    import asyncpg

    from db.order import Look, Order
    from routes.settings import Settings
    from routes.top_ups import Provider


async def work(settings: Settings, given: argparse.Namespace) -> int:
    """Do one verb. Raises OrderError, StoreError, StartError."""
    match given.what:
        case "review":
            return await review(settings, as_json=given.json)
        case "settle":
            return await settle(
                settings,
                given.order,
                credited=given.decision == "credit",
                reason=given.reason,
                anyway=given.anyway,
                as_json=given.json,
            )
        case _:
            return await reconcile(settings, as_json=given.json)


async def reconcile(settings: Settings, *, as_json: bool) -> int:
    """Look up every order that is due at the provider; say how many that was, and how all orders stand."""
    async with _open(settings) as (pool, provider):
        orders, reviews = Orders(pool), OrderReviews(pool)
        looked_at = await TopUps(orders, provider).hurry()
        counts = await orders.counts()
        left_behind = await reviews.abandoned(provider.name)
        practice = await reviews.points_of(settings.practice)
    if as_json:
        said: dict[str, Any] = {"looked_at": looked_at, **counts}
        said["left_behind"] = left_behind
        said["practice_points"] = practice
        say(json.dumps(said))
        return 0
    for words, number in (("looked at", looked_at), *counts.items()):
        say(f"{words:<11}{number}")
    for other, number in left_behind.items():
        say(f"{number} with {other} are under way, and nobody asks it: set COMMEOW_PAYMENTS={other} and run this again")
    if practice:
        say(f"{practice} points in these books were bought for nothing")
    if counts.get("review"):
        say("those in review wait for a person: ./commeow orders review")
    return 0


async def review(settings: Settings, *, as_json: bool) -> int:
    """Show the orders that fit nothing, each with what its provider says now; exit code 1 while there is one."""
    async with _open(settings) as (pool, provider):
        waiting = await Reviews(Orders(pool), OrderReviews(pool), provider).waiting()
    if as_json:
        say(json.dumps([_as_json(order, look) for order, look in waiting]))
    else:
        for order, look in waiting:
            say(_line(order, look))
        say("./commeow orders settle ID credit|close --reason … ends one" if waiting else "no order waits for a person")
    return 1 if waiting else 0


async def settle(
    settings: Settings, order_id: UUID, *, credited: bool, reason: str, anyway: bool, as_json: bool
) -> int:
    """End the review of one order, with its points or without them. Raises OrderError."""
    async with _open(settings) as (pool, provider):
        reviews = Reviews(Orders(pool), OrderReviews(pool), provider)
        order = await reviews.rule(order_id, credited=credited, reason=reason, anyway=anyway)
    if as_json:
        say(json.dumps({"id": str(order.id), "state": order.state}))
    else:
        say(f"order {order.id} is {order.state}")
    return 0


@contextlib.asynccontextmanager
async def _open(settings: Settings) -> AsyncIterator[tuple[asyncpg.Pool, Provider]]:
    """Yield the database and the provider in use."""
    async with open_desk(settings) as (pool, found), aiohttp.ClientSession() as http:
        yield pool, kakaopay.of_settings(http, found, found.require_stores())


def _as_json(order: Order, look: Look | None) -> dict[str, Any]:
    return {
        "id": str(order.id),
        "member": order.member_id,
        "points": order.points,
        "amount_won": order.amount_won,
        "provider": order.provider,
        "tid": order.tid,
        "since": order.state_at.isoformat(),
        "provider_says": look.standing if look else None,
        "kept_won": kept_won(order, look),
    }


def _line(order: Order, look: Look | None) -> str:
    kept = kept_won(order, look)
    if look is None:
        words = "cannot be asked"
    elif kept is None:
        words = f"says {look.standing}, of order {look.order_id} of member {look.member_id}"
    else:
        words = f"says {look.standing}, {kept} won kept"
    days = (datetime.now(UTC) - order.state_at).days
    return (
        f"{order.id}  {order.points} points for {order.amount_won} won, member {order.member_id}, {days} days; "
        f"{order.provider} {order.tid} {words}"
    )
