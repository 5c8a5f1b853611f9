"""That its answers are those of `playback.py` is held by test_front.py; here is what only it has."""

import pytest

from routes import quick_playback
from routes.quick_playback import FOUND_KEPT, QuickPlayback

KEY = "sk_live_test"


@pytest.fixture
async def quick(channel_client, on_air, new_member):
    await new_member("나비", key=KEY)
    await on_air.publish(KEY)
    (broadcast_id,) = on_air.broadcasts._writers
    quick = QuickPlayback(on_air.broadcasts, channel_client.guard)
    quick.folder = b"/hls/nabi/%d/" % broadcast_id
    return quick


def test_what_is_asked_for_again_means_the_same_object(quick):
    target = quick.folder + b"source.m3u8?_HLS_msn=1"

    assert quick.find(target) is quick.find(target)


async def test_what_is_remembered_of_a_broadcast_that_is_gone_means_nothing(quick, on_air):
    target = quick.folder + b"source.m3u8"
    assert quick.find(target) is not None
    on_air.broadcasts._writers.clear()

    assert quick.find(target) is None


def test_what_is_remembered_has_an_end(quick):
    for number in range(3 * FOUND_KEPT):
        quick.find(quick.folder + b"source_p%d.m4s" % (number + 1))

    assert 0 < len(quick._found) <= FOUND_KEPT


@pytest.mark.parametrize("target", [b"/", b"/hls/nabi/index.m3u8", b"/hls/nabi/999/source.m3u8"])
def test_what_is_not_at_the_edge_is_not_found(quick, target):
    assert quick.find(target) is None


def test_each_answer_has_a_number_of_its_own_and_the_date_of_its_second(quick, monkeypatch):
    found = quick.find(quick.folder + b"source.m3u8")
    heads = []
    for second in (1_700_000_000, 1_700_000_000.9, 1_700_000_001):
        monkeypatch.setattr(quick_playback.time, "time", lambda second=second: second)
        heads.append(quick.reply(found, b"#EXTM3U", closes=False)[0])

    assert len({head.partition(b"X-Request-Id: ")[2][:16] for head in heads}) == 3
    assert [head.partition(b"Date: ")[2][:29].decode() for head in heads] == [
        "Tue, 14 Nov 2023 22:13:20 GMT",
        "Tue, 14 Nov 2023 22:13:20 GMT",
        "Tue, 14 Nov 2023 22:13:21 GMT",
    ]
