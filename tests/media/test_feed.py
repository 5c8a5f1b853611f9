from __future__ import annotations

import pytest

from media.broadcast import State
from media.feed import LATER, Feed
from media.hls_writer.writer import Writer
from media.on_air import OnAir
from media.rtmp_ingest.errors import Refused
from tests.media import films


class Stage:
    """What a feed needs of the broadcasts, with the clock in the test's hand."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.on_air = OnAir(None, 20.0)
        self.began: list = []
        self.depicted: list[int] = []
        self.lost_by: list[tuple[int, bool]] = []

    def publish(self) -> Feed:
        return Feed(self, self.on_air, self.on_air.broadcast.publish(self.seconds))

    def now(self) -> float:
        return self.seconds

    async def begin(self, on_air, owner, began) -> None:
        on_air.writer = on_air.writer or Writer(1)
        assert on_air.broadcast.began(owner, self.seconds)
        on_air.writer.begin(began, date=0.0)
        self.began.append(began)

    def depict(self, on_air, began, keyframe) -> None:
        assert began is self.began[-1]
        self.depicted.append(keyframe.timestamp_ms)

    async def lost(self, on_air, owner, *, clean) -> None:
        self.lost_by.append((owner, clean))


@pytest.fixture
def stage():
    return Stage()


async def play(feed: Feed, *, pictures: int = 90, start_ms: int = 0) -> None:
    await feed.video(start_ms, films.video_config())
    await feed.audio(start_ms, films.audio_config())
    for index in range(pictures):
        await feed.video(start_ms + index * 33, films.picture(key=index % 30 == 0))
        await feed.audio(start_ms + index * 33, films.packet())


async def test_media_reaches_the_writer_the_health_and_the_picture(stage):
    feed = stage.publish()
    await feed.metadata({"encoder": "OBS"})
    await play(feed)
    report = stage.on_air.health.report(stage.seconds)

    assert stage.on_air.broadcast.state is State.LIVE
    assert len(stage.began) == 1
    assert stage.depicted == [0, 990, 1980]
    assert stage.on_air.writer.bytes_held
    assert (report.encoder, report.picture.track.width, report.connections) == ("OBS", 320, 1)
    assert report.picture.keyframe_seconds == 0.99


async def test_who_is_no_longer_the_owner_is_refused_and_changes_nothing(stage):
    first = stage.publish()
    await play(first)
    stage.seconds += 5
    second = stage.publish()
    await second.metadata({"encoder": "second"})
    await first.metadata({"encoder": "first"})
    with pytest.raises(Refused, match="no longer on air") as refused:
        await first.video(0, films.picture())

    assert refused.value.code == LATER
    assert stage.on_air.health.report(stage.seconds).encoder == "second"


async def test_an_owner_who_was_replaced_while_he_began_writes_nothing(stage):
    feed = stage.publish()
    really = stage.begin

    async def slow(on_air, owner, began):
        await really(on_air, owner, began)
        stage.seconds += 5
        stage.on_air.broadcast.publish(stage.seconds)

    stage.begin = slow
    await feed.video(0, films.video_config())
    await feed.audio(0, films.audio_config())
    await feed.video(0, films.picture(key=True))

    assert stage.depicted == []


@pytest.mark.parametrize("payload", [films.video_config(b"\x01\x02"), b"\x12\x00\x00\x00\x00"])
async def test_media_that_cannot_be_read_is_refused_in_words(stage, payload):
    feed = stage.publish()
    with pytest.raises(Refused) as refused:
        await feed.video(0, payload)

    assert refused.value.code == "NetStream.Publish.Rejected"


@pytest.mark.parametrize("clean", [True, False])
async def test_the_end_is_told(stage, clean):
    await stage.publish().end(clean)

    assert stage.lost_by == [(1, clean)]


async def test_tracks_that_nobody_plays_are_told_until_the_publisher_begins_anew(stage, caplog):
    caplog.set_level("INFO")
    feed = stage.publish()
    await feed.video(0, b"\x96\x01avc1\x01\0\0\0other track")
    await play(feed)

    assert stage.on_air.health.report(stage.seconds).extra_tracks
    await feed.end(clean=True)

    assert "extra_tracks_ignored" in caplog.text
    stage.seconds += 10
    again = stage.publish()
    await play(again)

    assert not stage.on_air.health.report(stage.seconds).extra_tracks
