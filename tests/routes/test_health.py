import asyncio
import json
import socket
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from db.errors import StoreUnavailable
from db.order import State
from routes import health, wire
from routes.health import DISK_BYTES_MIN, Health, check_disk, check_http, own_version
from routes.middleware import Counters


async def _well():
    return wire.Part(ok=True, words="answers")


async def _broken():
    raise RuntimeError("postgresql://:hunter2@db")


async def _silent():
    await asyncio.Event().wait()


async def no_orders():
    return {}


async def _ready(serve, checks):
    part = Health(checks, Counters(), lambda: 0, no_orders)
    client = await serve(part.doors())
    response = await client.get("/readyz")
    return response.status, json.loads(await response.read())


async def test_a_house_whose_parts_are_well_is_ready(serve):
    status, readiness = await _ready(serve, {"database": _well, "redis": _well})

    assert (status, readiness["ready"]) == (200, True)
    assert readiness["parts"]["database"] == {"ok": True, "words": "answers"}


async def test_one_part_that_is_not_well_is_named_without_its_words(serve):
    status, readiness = await _ready(serve, {"database": _broken, "redis": _well})

    assert (status, readiness["ready"]) == (503, False)
    assert readiness["parts"] == {
        "database": {"ok": False, "words": "not reachable"},
        "redis": {"ok": True, "words": "answers"},
    }


async def test_a_part_that_says_nothing_is_not_waited_for(serve, monkeypatch):
    monkeypatch.setattr(health, "PART_SECONDS_MAX", 0.05)

    status, readiness = await _ready(serve, {"redis": _silent})

    assert (status, readiness["parts"]["redis"]["ok"]) == (503, False)


async def test_metrics_are_numbers_for_prometheus(serve):
    async def unsettled():
        return {State.REVIEW: (2, datetime.now(UTC) - timedelta(hours=1))}

    part = Health({}, Counters(), lambda: 3, unsettled)
    client = await serve(part.doors())
    part._counters = client.guard.counters
    assert await (await client.get("/healthz")).text() == "ok\n"

    text = await (await client.get("/metrics")).text()

    assert 'commeow_http_answers_total{class="2xx"} 1' in text.splitlines()
    assert "commeow_broadcasts_live 3" in text.splitlines()
    assert 'commeow_orders{state="review"} 2' in text.splitlines()
    assert 'commeow_orders{state="approving"} 0' in text.splitlines()
    assert 'commeow_orders_oldest_seconds{state="approving"} 0' in text.splitlines()
    assert 'commeow_orders_oldest_seconds{state="review"} 36' in text  # 3600 and what the test took


async def test_metrics_are_there_without_the_store(serve):
    async def away():
        raise StoreUnavailable("away")

    client = await serve(Health({}, Counters(), lambda: 0, away).doors())

    text = await (await client.get("/metrics")).text()

    assert "commeow_broadcasts_live 0" in text.splitlines()
    assert "commeow_orders" not in text


async def test_the_description_is_made_from_the_routers_own_table(serve):
    part = Health({}, Counters(), lambda: 0, no_orders)
    part.describe(part.doors())
    client = await serve(part.doors())

    document = json.loads(await (await client.get("/openapi.json")).read())

    assert set(document["paths"]) == {"/healthz", "/readyz", "/metrics", "/openapi.json"}
    assert document["info"]["version"] == own_version()


def test_a_bare_checkout_has_version_zero(monkeypatch):
    def missing(_name):
        raise health.PackageNotFoundError

    monkeypatch.setattr(health, "version", missing)

    assert own_version() == "0"


@pytest.mark.parametrize(("free", "ok"), [(DISK_BYTES_MIN, True), (DISK_BYTES_MIN - 1, False)])
async def test_a_disk_is_well_to_the_byte(monkeypatch, tmp_path, free, ok):
    usage = health.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(health.shutil, "disk_usage", lambda _path: usage._replace(free=free))

    assert (await check_disk(tmp_path)).ok is ok


async def test_an_http_server_is_told_from_a_silent_stranger(free_port):
    server = TestServer(web.Application())
    await server.start_server()
    assert (await check_http("127.0.0.1", server.port)).ok
    await server.close()

    with socket.create_server(("127.0.0.1", 0)) as stranger:
        asking = asyncio.ensure_future(check_http("127.0.0.1", stranger.getsockname()[1]))
        stranger.setblocking(False)
        peer, _ = await asyncio.get_running_loop().sock_accept(stranger)
        with peer:
            await asyncio.get_running_loop().sock_sendall(peer, b"SSH-2.0-x\r\n")
            assert not (await asking).ok

    with pytest.raises(ConnectionRefusedError):
        await check_http("127.0.0.1", free_port())
