import pytest

from media.hls_writer.playlist import ResourceName
from routes.playlist_ask import (
    Ask,
    ChannelOffAir,
    DirectiveBad,
    PlaylistTarget,
    ResourceTarget,
    read_ask,
    read_target,
)


@pytest.mark.parametrize(
    ("query", "ask"),
    [
        ({}, Ask(None, None, skip=False)),
        ({"_HLS_msn": "7"}, Ask(7, None, skip=False)),
        ({"_HLS_msn": "7", "_HLS_part": "0"}, Ask(7, 0, skip=False)),
        ({"_HLS_part": "2"}, Ask(None, 2, skip=False)),
        ({"_HLS_skip": "YES"}, Ask(None, None, skip=True)),
        ({"_HLS_skip": "v2"}, Ask(None, None, skip=True)),
        ({"_HLS_skip": "no", "_HLS_new": "x"}, Ask(None, None, skip=False)),
        ({"_HLS_msn": "9" * 12}, Ask(10**12 - 1, None, skip=False)),
    ],
)
def test_directives_are_read(query, ask):
    assert read_ask(query) == ask


@pytest.mark.parametrize("name", ["_HLS_msn", "_HLS_part"])
@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", "1\n", "٣", "9" * 13])
def test_a_directive_that_is_no_number_is_refused_by_name(name, text):
    with pytest.raises(DirectiveBad, match=name) as caught:
        read_ask({"_HLS_msn": "1", name: text})

    assert caught.value.field == name


@pytest.mark.parametrize(
    ("target", "read"),
    [
        (b"/hls/nabi/7/source.m3u8", PlaylistTarget(7, "source", Ask(None, None, skip=False))),
        (b"/hls/%EB%82%98/7/480p.m3u8?", PlaylistTarget(7, "480p", Ask(None, None, skip=False))),
        (b"/hls/n_-9/7/source.m3u8?_HLS_msn=4&_HLS_part=1&_HLS_skip=YES", PlaylistTarget(7, "source", Ask(4, 1, True))),
        (b"/hls/nabi/7/source.m3u8?a=b", PlaylistTarget(7, "source", Ask(None, None, skip=False))),
        (b"/hls/nabi/7/source_p3.m4s", ResourceTarget(7, ResourceName("source", "p", 3))),
        (b"/hls/nabi/7/source_s3.m4s?x=1", ResourceTarget(7, ResourceName("source", "s", 3))),
        (b"/hls/nabi/7/source_init1.mp4", ResourceTarget(7, ResourceName("source", "init", 1))),
    ],
)
def test_what_players_at_the_edge_ask_for_is_read(target, read):
    assert read_target(target) == read


@pytest.mark.parametrize(
    "target",
    [
        b"/hls/nabi/index.m3u8",
        b"/hls/nabi/7/source_dvr.m3u8",
        b"/hls/nabi/7/source_t1.ts",
        b"/hls/nabi/7/source_p0.m4s",
        b"/hls/nabi/7/source_p1.mp4",
        b"/hls/nabi/7/..",
        b"/hls/nabi/7/source.m3u8/",
        b"/hls/nabi//7/source.m3u8",
        b"/hls/../7/source.m3u8",
        b"/hls/n.b/7/source.m3u8",
        b"/hls/%2e%2e/7/source.m3u8",
        b"/hls/a%2Fb/7/source.m3u8",
        b"/hls/nabi/7/source%2em3u8",
        b"/hls/nabi/-7/source.m3u8",
        b"/hls/nabi/" + b"7" * 19 + b"/source.m3u8",
        b"/hls/nabi/7/source.m3u8#x",
        b"/hls/nabi/7/source.m3u8?_HLS_msn",
        b"/hls/nabi/7/source.m3u8?_HLS_msn=1&_HLS_msn=2",
        b"/hls/nabi/7/source.m3u8?_HLS_msn=x",
        b"/hls/nabi/7/source.m3u8?_HLS_msn=%31",
        b"/hls/nabi/7/source.m3u8?a=" + b"b" * 200,
        b"/hls/nabi/7/source.m3u8\n",
        b"http://x/hls/nabi/7/source.m3u8",
        b"",
    ],
)
def test_what_is_written_in_another_way_is_for_aiohttp(target):
    assert read_target(target) is None


def test_off_air_has_words_for_the_log():
    assert str(ChannelOffAir()) == "off air"
