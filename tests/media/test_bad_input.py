"""Shell: what strangers may try at the real port while somebody streams: refused in words, and he loses nothing."""

from __future__ import annotations

import asyncio

import pytest

from db.channel import hash_stream_key
from db.channels import Channels
from db.members import Members
from media.broadcast import State
from media.broadcasts import Broadcasts
from media.hls_writer.tracks import SIDE_PIXELS_MAX
from media.rtmp_ingest.server import serve
from tests.media import films
from tests.media.checker import Checker
from tests.media.hls_writer.test_tracks import avcc, sps
from tests.media.rtmp_ingest.publisher import C0_C1, Client, chunk
from tests.media.rtmp_ingest.studio import Wire

KEY, OTHER_KEY = "sk_live_good", "sk_live_other"
SECONDS = 60  # For what should take milliseconds. Nothing below waits for it to pass.
PICTURE_MS = 33


class House:
    """Broadcasts of two channels behind a real port; the first one streams."""

    def __init__(self, broadcasts, server, states) -> None:
        self.broadcasts, self.server, self.states = broadcasts, server, states
        self.client = Client()
        self.checker = Checker()
        self.number = 0

    async def dial(self) -> Wire:
        return Wire(*await asyncio.open_connection("127.0.0.1", self.server.port))

    async def begin(self) -> None:
        self.good = await self.dial()
        await self.good.send(self.client.start(KEY))
        await self.good.hears("onStatus NetStream.Publish.Start")
        await self.good.send(self.client.video(0, films.video_config()), self.client.audio(0, films.audio_config()))
        await self.play()

    async def play(self, pictures: int = 60) -> None:
        """Two seconds of the good one, and all of it in the playlist."""
        for _ in range(pictures):
            time = self.number * PICTURE_MS
            picture = films.picture(key=self.number % 30 == 0)
            await self.good.send(self.client.video(time, picture), self.client.audio(time, films.packet()))
            self.number += 1
        async with asyncio.timeout(SECONDS):
            while self.broadcasts.find("Nyan") is None or self.pictures < self.number - 11:
                await asyncio.sleep(0.005)  # A part of ten is not whole, and a picture waits for the next.
        self.checker.see(await self.broadcasts.find("Nyan").media_playlist("source", msn=None, part=None, skip=False))

    @property
    def pictures(self) -> int:
        timeline = self.broadcasts.find("Nyan")._source.timeline
        return timeline.head // 90 // PICTURE_MS


@pytest.fixture
async def house(pool, tmp_path):
    for nickname, key in (("Nyan", KEY), ("Mew", OTHER_KEY)):
        await Members(pool).add(
            login_id=nickname.lower(), nickname=nickname, password_hash="x", stream_key_hash=hash_stream_key(key)
        )
    states: list[State] = []

    async def on_state(channel, state):
        states.append((channel.nickname, state))

    broadcasts = Broadcasts(Channels(pool), root=tmp_path, ladder=("source",), ffmpeg=None, on_state=on_state)
    server = await serve("127.0.0.1", 0, broadcasts)
    house = House(broadcasts, server, states)
    await house.begin()
    yield house
    await server.close()
    await broadcasts.close()


def media(*payloads: bytes) -> bytes:
    client = Client()
    return client.start(OTHER_KEY) + b"".join(client.video(0, payload) for payload in payloads)


REJECTED = "onStatus NetStream.Publish.Rejected"
# What is sent, and what must be said; None: the connection ends without another word, for it is no RTMP.
BAD = {
    "a wrong key": (Client().start("sk_live_wrong"), "onStatus NetStream.Publish.BadName"),
    "a name that climbs": (Client().start("../../etc/passwd"), "onStatus NetStream.Publish.BadName"),
    "an empty name": (Client().start(""), "onStatus NetStream.Publish.BadName"),
    "a second publisher": (Client().start(KEY), "onStatus NetStream.Publish.Denied"),
    "an old codec (Sorenson)": (media(b"\x22\x00\x00\x84"), REJECTED),
    "a codec that nobody knows": (media(b"\x90zzzz"), REJECTED),
    "a configuration that is none": (media(b"\x17\0\0\0\0\x01\x02"), REJECTED),
    "an absurd size": (media(films.video_config(avcc(sps(width=SIDE_PIXELS_MAX // 16 + 1)).data)), REJECTED),
    "an absurd message": (Client().start(OTHER_KEY) + chunk(0, 6, b"x" * 128, time=0, length=0xFFFFFF), None),
    "garbage": (bytes(range(256)) * 20, None),
    "hostile AMF": (C0_C1 + bytes(1536) + Client().message(20, b"\x03\0\1a" * 5000), None),
}


@pytest.mark.parametrize("name", BAD)
async def test_it_is_refused_in_words_and_who_streams_loses_nothing(house, name):
    data, words = BAD[name]
    stranger = await house.dial()
    await stranger.send(data)
    said = await stranger.closed()
    await house.play()

    assert words is None or words in said
    assert house.checker.findings == []
    assert house.states == [("Nyan", State.LIVE)]
    assert len(house.broadcasts) == 1


async def test_five_hundred_half_handshakes_at_once(house):
    strangers = await asyncio.gather(*(house.dial() for _ in range(500)))
    for number, stranger in enumerate(strangers):
        await stranger.send(C0_C1[: 1 + 3 * number])
    await house.play()
    other = await house.dial()
    await other.send(Client().start(OTHER_KEY))
    await other.hears("onStatus NetStream.Publish.Start")

    assert house.checker.findings == []
    assert house.server.connections <= 500
    for each in (*strangers, other):
        each.hang_up()


async def test_an_absurd_bitrate_costs_itself_its_past_and_nobody_else(house, monkeypatch):
    monkeypatch.setattr("media.hls_writer.timeline.RENDITION_BYTES_MAX", 3_000_000)
    client, other = Client(), await house.dial()
    await other.send(client.start(OTHER_KEY))
    await other.hears("onStatus NetStream.Publish.Start")
    await other.send(client.video(0, films.video_config()), client.audio(0, films.audio_config()))
    for number in range(90):  # 24 Mbit/s of a test's memory
        picture = films.picture(key=number % 31 == 0, data=bytes(100_000))
        await other.send(client.video(number * PICTURE_MS, picture), client.audio(number * PICTURE_MS, films.packet()))
        if number % 30 == 29:
            await house.play(30)
    held = house.broadcasts.find("Mew").bytes_held

    assert held < 3_000_000 + 3_200_000  # the bound, and a segment that was open; nine megabytes have come
    assert house.checker.findings == []
    assert [state for nickname, state in house.states if nickname == "Nyan"] == [State.LIVE]
    other.hang_up()


async def test_a_key_that_is_revoked_while_it_streams(house, pool):
    other = await house.dial()
    client = Client()
    await other.send(client.start(OTHER_KEY))
    await other.hears("onStatus NetStream.Publish.Start")
    await other.send(client.video(0, films.video_config()), client.audio(0, films.audio_config()))
    for number in range(60):
        picture = films.picture(key=number % 30 == 0)
        await other.send(client.video(number * PICTURE_MS, picture), client.audio(number * PICTURE_MS, films.packet()))
    async with asyncio.timeout(SECONDS):
        while ("Mew", State.LIVE) not in house.states:
            await asyncio.sleep(0.005)
    member_id = await pool.fetchval("SELECT id FROM member WHERE nickname = 'Mew'")
    await Channels(pool).rotate_stream_key(member_id, hash_stream_key("sk_live_new"))
    for on_air in list(house.broadcasts._on_air.values()):
        await house.broadcasts._renew(on_air)
    said = await other.closed()
    await house.play()

    assert any(line.startswith("onStatus") for line in said)
    assert house.states[-1] == ("Mew", State.INTERRUPTED)
    assert house.checker.findings == []
