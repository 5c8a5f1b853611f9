from __future__ import annotations

import pytest

from media.rtmp_ingest.events import AudioReceived, Metadata, PublishRequested, SessionClosed, VideoReceived

SECRET = "sk_live_do_not_show"


@pytest.mark.parametrize(
    "event",
    [
        PublishRequested(1, SECRET, SECRET),
        Metadata({"key": SECRET}),
        VideoReceived(0, SECRET.encode()),
        AudioReceived(0, SECRET.encode()),
    ],
)
def test_nothing_of_a_stranger_is_in_a_repr(event):
    assert SECRET not in repr(event)


def test_audio_is_not_video():
    assert AudioReceived(1, b"x") != VideoReceived(1, b"x")


def test_an_end_needs_no_cause():
    assert SessionClosed("done").cause is None
