import secrets
import time

import pytest
from aiohttp.test_utils import TestClient, TestServer

from routes.middleware import Guard
from routes.tokens import Tokens

SECRET = b"test secret, 32 bytes at the least"


@pytest.fixture(scope="session")
def tokens():
    return Tokens(SECRET)


@pytest.fixture
def bearer(tokens):
    """Give the headers of a member: `bearer(7, "nabi")`."""

    def headers(member_id, nickname, roles=frozenset(), *, age_seconds=0.0):
        token = tokens.issue(
            member_id, nickname, frozenset(roles), token_id=secrets.token_hex(8), now=time.time() - age_seconds
        )
        return {"Authorization": f"Bearer {token}"}

    return headers


@pytest.fixture
async def serve(tokens):
    """Serve a table of doors on a real port: `client = await serve(doors)`."""
    clients = []

    async def start(doors, *, public_url=None):
        guard = Guard(tokens, public_url=public_url, is_https=(public_url or "").startswith("https:"))
        client = TestClient(TestServer(guard.application(doors)), auto_decompress=False)
        await client.start_server()
        client.guard = guard
        clients.append(client)
        return client

    yield start
    for client in clients:
        await client.close()
