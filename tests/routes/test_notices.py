from db.bus import Bus
from routes.notices import Notices
from rsocket_server.laws import write_news


class Told:
    def __init__(self):
        self.told = []

    async def announce(self, topic, payload):
        self.told.append((topic, payload))


async def test_a_change_is_told_to_every_worker():
    told = Told()

    await Notices(told).changed(7, 9)
    await Notices(told).changed(7, None)

    assert told.told == [("conduct", write_news(7, 9)), ("conduct", write_news(7, None))]


async def test_an_event_is_shown_to_the_room_and_kept(redis):
    bus = Bus(redis)

    assert await Notices(bus).show(7, b"{}") == 1

    assert [entry.payload for entry in await bus.history(7, after=0, limit=9)] == [b"{}"]
