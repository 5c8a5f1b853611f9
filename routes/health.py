"""Door: HTTP: how the house is: alive, ready part by part, counted, and described."""

from __future__ import annotations

import asyncio
import shutil
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

from db.errors import StoreError
from db.order import UNDER_WAY, State
from routes import wire
from routes.access import Who
from routes.doors import HttpDoor, openapi
from routes.middleware import Counters, answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

PART_SECONDS_MAX: Final = 2.0
"""Seconds one part may take to say it is well; a load balancer asks every few."""

DISK_BYTES_MIN: Final = 256 * 1024 * 1024
"""Bytes free below which PostgreSQL may soon stop: some minutes of donations and write-ahead log."""


class Health:
    """Speaks for the whole house. `checks` are its parts by name, each giving its Part or raising."""

    def __init__(
        self,
        checks: Mapping[str, Callable[[], Awaitable[wire.Part]]],
        counters: Counters,
        live: Callable[[], int],
        unsettled: Callable[[], Awaitable[Mapping[State, tuple[int, datetime]]]],
    ) -> None:
        self._checks = dict(checks)
        self._counters = counters
        self._live = live
        self._unsettled = unsettled
        self._table: Sequence[HttpDoor] = ()

    def describe(self, table: Sequence[HttpDoor]) -> None:
        """Take the whole table of doors, which /openapi.json is made from."""
        self._table = table

    def doors(self) -> list[HttpDoor]:
        """List the doors."""
        return [
            HttpDoor(method="GET", path="/healthz", who=Who.ANYONE, handle=self._alive, words="This process is alive."),
            HttpDoor(
                method="GET",
                path="/readyz",
                who=Who.ANYONE,
                handle=self._ready,
                words="Every part of the house, one by one; 503 when one is not well.",
                answer=wire.Readiness,
            ),
            HttpDoor(
                method="GET",
                path="/metrics",
                who=Who.LOOPBACK,
                handle=self._metrics,
                words="Numbers for Prometheus, on loopback only.",
            ),
            HttpDoor(
                method="GET",
                path="/openapi.json",
                who=Who.ANYONE,
                handle=self._openapi,
                words="This surface, from the table the router runs on.",
            ),
        ]

    async def _alive(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(text="ok\n")

    async def _ready(self, _request: web.Request) -> web.StreamResponse:
        names = list(self._checks)
        found = await asyncio.gather(*(self._check(name) for name in names))
        readiness = wire.Readiness(ready=all(part.ok for part in found), parts=dict(zip(names, found, strict=True)))
        return answer(readiness, status=200 if readiness.ready else 503)

    async def _check(self, name: str) -> wire.Part:
        try:
            async with asyncio.timeout(PART_SECONDS_MAX):
                return await self._checks[name]()
        except TimeoutError:
            return wire.Part(ok=False, words=f"no answer within {PART_SECONDS_MAX:.0f} s")
        except Exception:  # noqa: BLE001 - whatever a store's client raises means the same here.
            return wire.Part(ok=False, words="not reachable")

    async def _metrics(self, _request: web.Request) -> web.StreamResponse:
        lines = [
            "# TYPE commeow_http_answers_total counter",
            *(
                f'commeow_http_answers_total{{class="{kind}"}} {number}'
                for kind, number in sorted(self._counters.answers.items())
            ),
            "# TYPE commeow_http_under_way gauge",
            f"commeow_http_under_way {self._counters.under_way}",
            "# TYPE commeow_broadcasts_live gauge",
            f"commeow_broadcasts_live {self._live()}",
            *await self._order_lines(),
        ]
        return web.Response(text="\n".join(lines) + "\n", content_type="text/plain", charset="utf-8")

    async def _order_lines(self) -> list[str]:
        """Count the payments that have no end yet; without the store these lines are left out."""
        try:
            unsettled = await self._unsettled()
        except StoreError:
            return []
        now = datetime.now(UTC)
        orders, waited = [], []
        for state in (*sorted(UNDER_WAY), State.REVIEW):
            number, since = unsettled.get(state, (0, now))
            orders.append(f'commeow_orders{{state="{state}"}} {number}')
            waited.append(
                f'commeow_orders_oldest_seconds{{state="{state}"}} {max(0, (now - since).total_seconds()):.0f}'
            )
        return [
            "# TYPE commeow_orders gauge",
            *orders,
            "# TYPE commeow_orders_oldest_seconds gauge",
            *waited,
        ]

    async def _openapi(self, _request: web.Request) -> web.StreamResponse:
        document = openapi(self._table, own_version())
        return web.Response(body=msgspec.json.encode(document), content_type="application/json")


def own_version() -> str:
    """Give the installed version, or 0 when the house runs from a bare checkout."""
    try:
        return version("commeow")
    except PackageNotFoundError:
        return "0"


async def check_disk(data: Path) -> wire.Part:
    """Say how much room the data folder's disk has."""
    free = shutil.disk_usage(data).free
    words = f"{free // 1_048_576} MiB free"
    if free < DISK_BYTES_MIN:
        return wire.Part(ok=False, words=f"{words}, at least {DISK_BYTES_MIN // 1_048_576} wanted")
    return wire.Part(ok=True, words=words)


async def check_http(host: str, port: int) -> wire.Part:
    """Say whether an HTTP server answers there at all, as its event loop does only while it turns."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        head = await reader.read(5)
    finally:
        writer.close()
    if head != b"HTTP/":
        return wire.Part(ok=False, words="something else listens on its port")
    return wire.Part(ok=True, words="answers")
