import asyncio

import pytest

from db.errors import StoreUnavailable, StoreUnknown
from db.summaries import Summaries
from db.summary import Stretch, Viewers
from media import audiences as module
from media.audience import HELD_SAMPLES, SAMPLE_SECONDS
from media.audiences import Audiences


class Book:
    """A table that may be away."""

    def __init__(self):
        self.rows, self.away = {}, None

    async def add(self, rows):
        if self.away is StoreUnavailable:
            raise StoreUnavailable("away")
        self.rows.update(((broadcast_id, at), counted) for broadcast_id, at, counted in rows)
        if self.away:
            raise self.away("nobody knows")


@pytest.fixture
def moments(monkeypatch):
    """The loop's clock, for whoever counts; it goes on by one count's time with each."""

    class Loop:
        at = 0.0

        def time(self):
            self.at += SAMPLE_SECONDS
            return self.at

    class Clocked:
        loop = Loop()

        def __getattr__(self, name):
            return getattr(asyncio, name)

        def get_running_loop(self):
            return self.loop

    monkeypatch.setattr(module, "asyncio", Clocked())


def watch(audiences, counts, times=HELD_SAMPLES):
    for _ in range(times):
        audiences.count(counts)


HELD = HELD_SAMPLES * SAMPLE_SECONDS


@pytest.mark.usefixtures("moments")
async def test_an_end_writes_all_that_was_counted_and_only_of_that_broadcast():
    book = Book()
    audiences = Audiences(book)
    watch(audiences, {1: 3, 2: 8})
    await audiences.close(1)
    await audiences.close(1)
    await audiences.close(99)

    assert {key[0]: row for key, row in book.rows.items()} == {1: Stretch(HELD, 3 * HELD, 3)}


@pytest.mark.usefixtures("moments")
async def test_a_broadcast_that_a_count_has_found_over_is_written_by_its_end():
    book = Book()
    audiences = Audiences(book)
    watch(audiences, {1: 3})
    audiences.count({})
    await audiences.close(1)

    assert list(book.rows.values()) == [Stretch(HELD, 3 * HELD, 3)]


@pytest.mark.usefixtures("moments")
async def test_who_stops_the_writing_has_all_written_once_more():
    book = Book()
    audiences = Audiences(book)
    watch(audiences, {1: 3, 2: 3})
    audiences.count({1: 3})
    writing = asyncio.create_task(audiences.run())
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing

    assert {number for number, _ in book.rows} == {1, 2}


@pytest.mark.usefixtures("moments")
@pytest.mark.parametrize("away", [StoreUnavailable, StoreUnknown])
async def test_what_could_not_be_written_is_written_later_and_once(away, caplog):
    book = Book()
    audiences = Audiences(book)
    book.away = away
    watch(audiences, {1: 3}, 2 * HELD_SAMPLES)
    await audiences.write()
    await audiences.close(1)
    assert "audience_not_written" in caplog.text

    book.away = None
    await audiences.write()
    assert sum(row.seconds for row in book.rows.values()) == 2 * HELD


@pytest.mark.usefixtures("moments")
async def test_what_waits_to_be_written_has_an_end(monkeypatch):
    monkeypatch.setattr(module, "UNWRITTEN_MAX", 3)
    book = Book()
    audiences = Audiences(book)
    book.away = StoreUnavailable
    for number in range(5):
        watch(audiences, {number: 1})
        await audiences.close(number)

    book.away = None
    await audiences.write()
    assert [number for number, _ in book.rows] == [2, 3, 4]


@pytest.mark.usefixtures("moments")
async def test_a_broadcast_of_two_processes_is_one(pool, new_broadcast):
    channel_id, number = new_broadcast
    summaries = Summaries(pool)
    for viewers in (3, 9):
        audiences = Audiences(summaries)
        watch(audiences, {number: viewers}, 12)
        await audiences.close(number)
    await pool.execute("UPDATE broadcast SET ended_at = started_at + interval '2 minutes'")

    [summary] = await summaries.latest(channel_id)
    assert summary.viewers == Viewers(9, 6.0)


@pytest.fixture
async def new_broadcast(pool):
    """A channel's number and its broadcast's."""
    channel_id = await pool.fetchval(
        """
        INSERT INTO member (login_id, nickname, nickname_key, password_hash) VALUES ('nyan', 'nyan', 'nyan', 'x')
        RETURNING id
        """
    )
    await pool.execute("INSERT INTO channel (id, stream_key_hash) VALUES ($1, sha256('x'))", channel_id)
    number = await pool.fetchval(
        "INSERT INTO broadcast (channel_id, lease_until) VALUES ($1, now() + '1 hour') RETURNING id", channel_id
    )
    return channel_id, number
