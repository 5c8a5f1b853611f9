"""Two workers whose Valkey is killed in the middle of a conversation and comes back, as their clients see it."""

import os
import signal
from contextlib import asynccontextmanager

import pytest

from console.embedded import Valkey
from db.pool import open_redis
from rsocket_server import limits
from tests.routes.conftest import conversing
from tests.routes.test_talk import Up


def _line(text, line_id, **more):
    return {"channel": "streamer", "id": line_id, "text": text, "local": True, **more}


def _act(action, **more):
    return {"channel": "streamer", "action": action, **more}


async def _refused(awaitable, code):
    with pytest.raises(Exception) as caught:
        await awaitable
    assert caught.value.code == code
    return caught.value


class Mortal:
    """A Valkey in the test's hand."""

    def __init__(self, folder):
        self._folder = folder
        self.url = f"unix://{folder}/valkey.sock"

    @asynccontextmanager
    async def alive(self):
        """Let it live for a while; it is killed, not stopped."""
        async with Valkey(self._folder) as server:
            redis = open_redis(server.url)
            pid = (await redis.info("server"))["process_id"]
            await redis.aclose()
            yield
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def mortal(tmp_path):
    return Mortal(tmp_path / "valkey")


@pytest.fixture
async def workers(application, tokens, connect, mortal):
    """Two workers at that Valkey."""
    one, other = open_redis(mortal.url), open_redis(mortal.url)
    async with (
        conversing(application, one, tokens, connect) as here,
        conversing(application, other, tokens, connect, "other") as there,
    ):
        yield here, there
    await one.aclose()
    await other.aclose()


@pytest.fixture
async def people(new_member):
    return {name: await new_member(name) for name in ("streamer", "mimi", "나비")}


async def _said(seen):
    """Read lines up to the word that all is well, and answer their texts and whether each had a number."""
    lines = []
    while (event := await seen.next())["kind"] != "back":
        if event["kind"] == "said":
            lines.append((event["text"], event.get("seq", 0)))
    return lines


async def test_chat_goes_on_inside_each_worker_and_comes_together(workers, people, mortal):
    here, there = workers
    nabi, mimi = await here.connect(people["나비"]), await there.connect(people["mimi"])
    async with mortal.alive():
        seen, elsewhere = (each.watch("chat.watch", {"channel": "streamer", "local": True}) for each in (nabi, mimi))
        plain = (await here.connect()).watch("chat.watch", {"channel": "streamer"})
        assert await nabi.call("chat.say", _line("before", "0")) == {"seq": 1}
        for each in (seen, elsewhere, plain):
            await each.next("said")

    assert await nabi.call("chat.say", _line("안녕", "1")) == {"local": True}
    await seen.next("away")
    line = await seen.next("said")
    assert {**line, "at": None} == {
        "local": True,
        "kind": "said",
        "id": "1",
        "from": {"nickname": "나비", "roles": []},
        "text": "안녕",
        "at": None,
    }
    # Sent again, because an answer was lost, it is the same line; and who does not know of such is refused.
    assert await nabi.call("chat.say", _line("안녕", "1")) == {"local": True}
    await _refused(
        nabi.call("chat.say", {"channel": "streamer", "id": "2", "text": "numbers only"}), "store.unavailable"
    )
    nabi.fire("chat.say", _line("fired", "3"))
    assert (await seen.next("said"))["text"] == "fired"
    assert await mimi.call("chat.say", _line("hi", "4")) == {"local": True}
    await elsewhere.next("away")
    assert (await elsewhere.next("said"))["text"] == "hi"

    async with mortal.alive():
        await seen.next("back")
        await elsewhere.next("back")
        last = await mimi.call("chat.say", _line("after", "5"))
        assert last == {"seq": 5}

        # One order for everyone: those who were here, those who know of numbers only, and who comes now.
        again = (await there.connect()).watch("chat.watch", {"channel": "streamer", "since": 1})
        read = [[await each.next("said") for _ in range(4)] for each in (plain, again)]
        assert read[0] == read[1]
        assert [event["seq"] for event in read[0]] == [2, 3, 4, 5]
        assert sorted(event["text"] for event in read[0][:3]) == ["fired", "hi", "안녕"]
        assert [event["at"] for event in read[0] if event["id"] == "1"] == [line["at"]]


async def test_order_is_kept_while_the_store_is_away(workers, people, mortal, monkeypatch):
    here, there = workers
    monkeypatch.setattr(limits, "LAW_AWAY_SECONDS", 0.0)
    owner, nabi = await here.connect(people["streamer"]), await here.connect(people["나비"])
    far, mimi = await there.connect(people["나비"]), await there.connect(people["mimi"])
    async with mortal.alive():
        seen, elsewhere = (each.watch("chat.watch", {"channel": "streamer", "local": True}) for each in (nabi, mimi))
        await nabi.call("chat.say", _line("old", "0"))
        for each in (seen, elsewhere):
            await each.next("said")

    await nabi.call("chat.say", _line("rude", "1"))
    await owner.call("moderation.act", _act("slow", seconds=600))
    rules = await seen.next("rules")
    assert (rules["slow_seconds"], rules["local"], "seq" in rules) == (600, True, False)
    await nabi.call("chat.say", _line("slowly", "2"))
    refused = await _refused(nabi.call("chat.say", _line("more", "3")), "chat.slow")
    assert 0 < refused.data["retry_after_ms"] <= 600_000

    acted = await owner.call("moderation.act", _act("remove", nickname="나비", ids=["1"], reason="rude"))
    assert acted["seqs"] == []
    removed = await seen.next("removed")
    assert (removed["ids"], removed["nickname"], removed["seqs"], removed["local"]) == (["1"], "나비", [], True)
    acted = await owner.call("moderation.act", _act("remove", seqs=[1]))
    assert acted["seqs"] == [1]
    assert (await seen.next("removed"))["seqs"] == [1]
    await _refused(owner.call("moderation.act", _act("remove", nickname="나비", ids=["1"])), "moderation.no_lines")

    assert await mimi.call("chat.say", _line("far away", "4")) == {"local": True}
    await owner.call("moderation.act", _act("ban", nickname="나비"))
    assert (await seen.next("muted"))["until"] is None
    # Here at once; there as soon as PostgreSQL is asked again.
    for talker in (nabi, far):
        await _refused(talker.call("chat.say", _line("no", "5")), "chat.banned")

    async with mortal.alive():
        await seen.next("back")
        await elsewhere.next("back")
        again = (await here.connect()).watch("chat.watch", {"channel": "streamer", "since": 0})
        # What was taken back may have been published for a moment, if nobody knew: then it was removed at once.
        texts, kinds = [], []
        while not {"far away", "slowly"} <= set(texts) or not {"rules", "muted"} <= set(kinds):
            event = await again.next()
            if "seq" in event:
                kinds.append(event["kind"])
                texts += [event["text"]] if event["kind"] == "said" else []
        assert sorted(texts) == ["far away", "slowly"]
        assert kinds[0] == "removed"
        await _refused(far.call("chat.say", _line("no", "6")), "chat.banned")


async def test_who_comes_while_the_store_is_away_sees_what_is_said(workers, people, mortal):
    here, _ = workers
    async with mortal.alive():
        nabi = await here.connect(people["나비"])
        seen = nabi.watch("chat.watch", {"channel": "streamer", "local": True})
        await nabi.call("chat.say", _line("before", "0"))
        await seen.next("said")

    await nabi.call("chat.say", _line("one", "1"))
    late = (await here.connect()).watch("chat.watch", {"channel": "streamer", "local": True})
    assert [(await late.next("said")).get("seq") for _ in range(2)] == [1, None]
    async with mortal.alive():
        assert (await late.next("said"))["seq"] == 2


async def test_a_bot_that_talks_knows_of_it_if_it_says_so(workers, people, mortal):
    here, _ = workers
    async with mortal.alive():
        nabi = await here.connect(people["나비"])
        up = Up()
        seen = nabi.talk({"channel": "streamer", "local": True}, up)
        await up.say("before", "0")
        assert (await seen.next("said"))["seq"] == 1

    await up.say("one", "1")
    assert (await seen.next("said"))["local"]
    async with mortal.alive():
        assert (await seen.next("said"))["seq"] == 2
