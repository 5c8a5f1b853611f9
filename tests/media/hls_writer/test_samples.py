from __future__ import annotations

from contextlib import suppress

import pytest

from media.hls_writer.errors import HlsError
from media.hls_writer.fmp4 import init_segment
from media.hls_writer.samples import NotOurs, read_init, read_segment
from media.hls_writer.writer import Writer
from tests.media import films
from tests.media.boxes import read_fragment


@pytest.fixture(params=["plain", "bframes", "video_only", "audio_only", "av1_opus", "hevc"])
def rendition(film, request):
    writer = Writer(7)
    for event in films.events(films.tags(film(request.param))):
        films.write(writer, event)
    return writer._source


def test_an_init_segment_gives_its_tracks_back(rendition):
    video, audio = read_init(rendition.init(1))

    assert (rendition.video, rendition.audio) == (video, audio)
    assert rendition.init(1) == init_segment(video, audio)


def test_a_segment_gives_its_samples_back(rendition):
    for segment in rendition.timeline.listed:
        read = list(read_segment(segment.data()))
        assert len(read) == len(segment.parts)
        for (video, audio), part in zip(read, segment.parts, strict=True):
            tracks = {track.number: track for track in read_fragment(part.data)[1]}
            assert (video is not None, audio is not None) == (1 in tracks, 2 in tracks)
            if video:
                pictures = [(each.duration, each.key, each.composition, each.data) for each in video.pictures]
                assert (video.start, pictures) == (tracks[1].start, tracks[1].samples)
            if audio:
                packets = list(zip(audio.durations, audio.packets, strict=True))
                assert audio.start == tracks[2].start
                assert packets == [(duration, data) for duration, _, _, data in tracks[2].samples]


@pytest.mark.parametrize("data", [b"\x00", b"\x00\x00\x00\x08moof", b"\x00\x00\x00\x10moof" + b"\x00" * 8, b"x" * 40])
def test_what_we_did_not_write_is_refused(data):
    with pytest.raises(NotOurs):
        read_init(data)
    with pytest.raises(NotOurs):
        list(read_segment(data))


def test_an_init_segment_that_was_changed_is_refused_in_words(rendition):
    init = rendition.init(1)
    for position in range(8, len(init)):
        try:
            read_init(init[:position])
        except HlsError as error:
            assert str(error)
    for position in range(0, len(init), 3):
        changed = bytearray(init)
        changed[position] ^= 0xFF
        with suppress(HlsError):
            read_init(bytes(changed))
