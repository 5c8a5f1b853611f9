"""Whose connections end: by ban, by leaving, by logout; and how soon."""

import asyncio

import pytest

from db.bus import Bus
from db.errors import StoreUnavailable
from db.member import Member
from db.members import Members
from routes import revocations as module
from routes.revocations import REMEMBER_SECONDS, Revocations, tell
from routes.tokens import TokenInvalid
from rsocket_server import limits
from rsocket_server.doors import Badge


class Clock:
    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


class Gone:
    """Members of whom some have gone."""

    def __init__(self):
        self.ids = []
        self.tokens = frozenset()
        self.asked = []
        self.broken = False

    async def gone_within(self, seconds):
        self.asked.append(seconds)
        if self.broken:
            raise StoreUnavailable("away")
        return self.ids

    async def revoked_within(self, _seconds):
        return self.tokens


def test_whoever_is_looked_for_is_gone_within_five_seconds():
    """Found at the next look, told why, and cut off if the client does not close."""
    assert module.LOOK_SECONDS + limits.CLOSE_SECONDS < 5.0


def _badge(member_id, key=""):
    return Badge(Member(member_id, "x", frozenset()), key=key)


async def _left(worker, connections):
    """Wait until a worker has only so many connections."""
    async with asyncio.timeout(60):
        while worker.server.connections != connections:
            await asyncio.sleep(0.01)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.05)


async def test_a_banned_members_connections_end_and_no_old_token_lets_them_back(
    quick, conversation, other_worker, new_member, pool
):
    nabi, mimi = await new_member("나비"), await new_member("mimi")
    token = conversation.token(nabi)
    talkers = [await worker.connect(nabi) for worker in (conversation, other_worker)]
    bystander = await conversation.connect(mimi)
    for talker in (*talkers, bystander):
        await talker.call("session.hello", {})

    await Members(pool).ban("나비")

    await _left(conversation, 1)
    await _left(other_worker, 0)
    assert await bystander.call("session.hello", {})
    with pytest.raises(TokenInvalid):
        await conversation.admission.verify(token)


async def test_a_login_that_is_over_ends_its_own_connections_everywhere(conversation, other_worker, new_member, redis):
    nabi = await new_member("나비")
    over = [await worker.log_in(nabi, "login one") for worker in (conversation, other_worker)]
    stays = await conversation.log_in(nabi, "login two")
    for talker in (*over, stays):
        await talker.call("session.hello", {})

    await tell(Bus(redis), "login one")

    await _left(conversation, 1)
    await _left(other_worker, 0)
    assert await stays.call("session.hello", {})
    with pytest.raises(TokenInvalid):
        await conversation.admission.verify(conversation.token(nabi, login="login one"))


async def test_what_was_revoked_is_remembered_as_long_as_it_matters():
    clock, gone = Clock(), Gone()
    revocations = Revocations(gone, gone, None, clock=clock)
    revocations._hear(b"a")
    clock.now += REMEMBER_SECONDS
    await revocations.look()
    assert revocations.is_revoked(_badge(1, "a"))
    clock.now += 1
    await revocations.look()
    assert not revocations.is_revoked(_badge(1, "a"))

    gone.ids, gone.tokens = [1], frozenset({7})
    await revocations.look()
    assert revocations.is_revoked(_badge(2, "bot 7"))
    assert revocations.is_revoked(_badge(1))
    assert revocations.check(_badge(2, "a")).member.id == 2


async def test_after_postgresql_was_away_one_looks_further_back():
    clock, gone = Clock(), Gone()
    revocations = Revocations(gone, gone, None, clock=clock)
    gone.broken = True
    clock.now += 1_000.0
    with pytest.raises(StoreUnavailable):
        await revocations.look()
    gone.broken = False
    clock.now += 1_000.0
    await revocations.look()
    await revocations.look()

    assert gone.asked[1:] == [REMEMBER_SECONDS + 2_000.0, REMEMBER_SECONDS]


def test_no_more_logins_are_remembered_than_may_be(monkeypatch):
    monkeypatch.setattr(module, "KEYS_MAX", 2)
    revocations = Revocations(Gone(), Gone(), None, clock=Clock())
    for key in (b"a", b"b", b"c", b""):
        revocations._hear(key)

    assert [revocations.is_revoked(_badge(1, key)) for key in ("a", "b", "c")] == [False, True, True]


async def test_without_redis_a_logout_is_a_logout_all_the_same():
    asked = []

    class Away:
        async def announce(self, _topic, payload):
            asked.append(payload)
            raise StoreUnavailable("away")

    await tell(Away(), "login")

    assert len(asked) == 1


async def test_a_store_that_is_away_is_asked_again(quick, caplog):
    gone, rooms = Gone(), None

    class Rooms:
        failures = 1

        async def follow(self, _topic):
            if self.failures:
                self.failures -= 1
                raise StoreUnavailable("away")
            return self

        def subscribe(self, _observer):
            self.subscribed = True

    rooms = Rooms()
    gone.broken = True
    running = asyncio.create_task(Revocations(gone, gone, rooms).run(None))
    async with asyncio.timeout(60):
        while len(gone.asked) < 2:
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert rooms.subscribed
    assert "looked=no" in caplog.text
