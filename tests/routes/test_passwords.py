import asyncio
import threading
from types import SimpleNamespace

import pytest
from argon2 import PasswordHasher

from routes.passwords import MEMORY_KIB, Passwords
from routes.rate_limit import Busy


@pytest.fixture
def passwords():
    passwords = Passwords(threads=1, waiting_max=3)
    yield passwords
    passwords.close()


@pytest.fixture
async def at_it(passwords, monkeypatch):
    """Three hashes under way, the first one at it until the event is set: `hashes, go_on`."""
    begun, go_on, real = threading.Event(), threading.Event(), passwords._hasher

    def slow(password):
        begun.set()
        go_on.wait()
        return real.hash(password)

    monkeypatch.setattr(passwords, "_hasher", SimpleNamespace(hash=slow))
    hashes = [asyncio.ensure_future(passwords.hash("x")) for _ in range(3)]
    await asyncio.to_thread(begun.wait)
    yield hashes, go_on
    go_on.set()


async def test_a_password_is_verified_and_another_is_not(passwords):
    hashed = await passwords.hash("correct horse 말")

    assert await passwords.verify(hashed, "correct horse 말")
    assert not await passwords.verify(hashed, "correct horse 말 ")


async def test_a_hash_names_the_agreed_costs_and_is_salted(passwords):
    first, second = await passwords.hash("x"), await passwords.hash("x")

    assert first.startswith(f"$argon2id$v=19$m={MEMORY_KIB},t=2,p=1$")
    assert first != second
    assert not passwords.is_outdated(first)
    assert passwords.is_outdated(PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash("x"))


async def test_nobodys_password_is_never_right(passwords):
    assert not await passwords.verify(None, "")
    assert not await passwords.verify("not a hash", "x")


async def test_a_full_queue_refuses_at_once_and_has_room_again_afterwards(passwords, at_it):
    hashes, go_on = at_it
    with pytest.raises(Busy):
        await passwords.hash("x")

    go_on.set()
    await asyncio.gather(*hashes)
    assert await passwords.hash("x")


async def test_work_of_a_client_who_hung_up_still_counts(passwords, at_it):
    hashes, go_on = at_it
    hashes[0].cancel()
    await asyncio.gather(*hashes[:1], return_exceptions=True)

    with pytest.raises(Busy):
        await passwords.hash("x")

    go_on.set()
    await asyncio.gather(*hashes[1:])


async def test_the_loop_runs_on_while_passwords_are_hashed(passwords):
    hashing = asyncio.ensure_future(passwords.hash("x"))
    turns = 0
    while not hashing.done():
        await asyncio.sleep(0)
        turns += 1

    assert turns > 10
