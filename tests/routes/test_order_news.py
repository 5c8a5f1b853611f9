"""News of orders over a real Valkey: told in one process, heard in another."""

import asyncio
import uuid

import pytest

from db.bus import RESYNC, Bus, News
from db.errors import StoreUnavailable
from routes import order_news
from routes.order_news import TOPIC, OrderNews


@pytest.fixture
async def hearing(redis):
    """Another process's news, which hears already."""
    news = OrderNews(Bus(redis))
    running = asyncio.create_task(news.run())
    first = uuid.uuid4()
    async with asyncio.timeout(60):
        with news.watching(first) as changed:
            while not changed.is_set():  # Until it has subscribed, nobody hears.
                await OrderNews(Bus(redis)).tell(first)
                await asyncio.sleep(0)
    yield news
    running.cancel()
    await asyncio.wait([running])


async def test_who_watches_an_order_hears_of_it_and_of_no_other(hearing, redis):
    watched, other = uuid.uuid4(), uuid.uuid4()

    with hearing.watching(watched) as one, hearing.watching(watched) as two, hearing.watching(other) as three:
        await OrderNews(Bus(redis)).tell(watched)
        async with asyncio.timeout(60):
            await asyncio.gather(one.wait(), two.wait())
        assert not three.is_set()

    assert {} == hearing._watched


async def test_news_that_may_be_missing_is_news_for_everybody():
    class Bad:
        async def follow(self, topic):
            assert topic == TOPIC

        async def listen(self):
            for topic, payload in ((TOPIC, b"no id"), ("else", uuid.UUID(int=7).bytes)):
                yield News(room=None, seq=None, topic=topic, payload=payload)
            assert not changed.is_set()
            yield News(room=None, seq=None, topic=RESYNC, payload=b"")

    news = OrderNews(Bad())
    with news.watching(uuid.UUID(int=7)) as changed:
        await news.run()

        assert changed.is_set()


async def test_without_redis_nobody_is_told_and_nothing_breaks():
    asked = []

    class Away:
        async def announce(self, topic, payload):
            asked.append(payload)
            raise StoreUnavailable("away")

    await OrderNews(Away()).tell(uuid.uuid4())

    assert len(asked) == 1


async def test_a_redis_that_hangs_holds_no_payment_up(monkeypatch):
    monkeypatch.setattr(order_news, "TELL_SECONDS_MAX", 0.01)

    asked = []

    class Hung:
        async def announce(self, topic, payload):
            asked.append(payload)
            await asyncio.Event().wait()

    async with asyncio.timeout(60):
        await OrderNews(Hung()).tell(uuid.uuid4())

    assert len(asked) == 1
