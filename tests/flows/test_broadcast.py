"""From an encoder to a player: real ffmpeg in, LL-HLS out, decoded again."""

from __future__ import annotations

import asyncio
import re

import aiohttp
import psutil
import pytest
from house import Encoder, RefusedError, eventually, words_of


async def decoded(ffmpeg, film: bytes, tmp_path) -> str:
    """Decode strictly; answer ffmpeg's words (frames read, streams found)."""
    path = tmp_path / "played.mp4"
    path.write_bytes(film)
    process = await asyncio.create_subprocess_exec(
        *(ffmpeg, "-hide_banner", "-nostdin", "-xerror", "-i", str(path), "-f", "null", "-"),
        stderr=asyncio.subprocess.PIPE,
    )
    _, words = await process.communicate()
    assert process.returncode == 0, words.decode()
    return words.decode()


async def test_a_published_channel_plays(house, ffmpeg, nickname, player, tmp_path):
    streamer = await house.sign_up(nickname())
    async with Encoder(ffmpeg, streamer.stream_server, streamer.stream_key):
        channel = await house.on_air(streamer.nickname)
        playing = await player(house, channel)
        playlist = await playing.playlist()
        first = playlist.next_sequence
        # As an LL-HLS player does: ask for each part before it exists, and take it when it does.
        parts: list[str] = []
        for msn in (first, first + 1):
            playlist = await playing.playlist(msn=msn, part=0)
            parts += [part for part in playlist.parts if part not in parts]
        [init] = playlist.maps
        film = b"".join([await playing.resource(name) for name in (init, *parts)])
        segments = b"".join([await playing.resource(name) for name in (init, *playlist.segments[-2:])])

        words = await decoded(ffmpeg, film, tmp_path)
        frames = int(re.findall(r"frame=\s*(\d+)", words)[-1])

        assert "Video: h264" in words
        assert "320x180" in words
        assert "Audio: aac" in words
        assert frames >= 10 * (len(parts) - 1)  # Parts of a third of a second at 30 frames a second.
        assert "Video: h264" in await decoded(ffmpeg, segments, tmp_path)


async def test_a_second_rendition_has_the_sources_parts(new_house, ffmpeg, nickname, player, tmp_path):
    house = await new_house(COMMEOW_LADDER="source,144p").start()
    streamer = await house.sign_up(nickname())
    async with Encoder(ffmpeg, streamer.stream_server, streamer.stream_key):
        playing = await player(house, await house.on_air(streamer.nickname))
        for msn in range(1, 5):  # One at a time: who asks too far ahead is refused.
            await playing.playlist(msn=msn)

        async def has_both():
            text = (await playing.get(playing.playback))[0].decode()
            return text if "144p.m3u8" in text else None

        listed = await eventually(has_both, what="the second rendition")
        lesser = await player(house, {"playback": playing.playback})
        lesser.media_url = playing.media_url.replace("source.m3u8", "144p.m3u8")

        async def whole():  # On a busy machine the encoder may be too late for a segment, which is a gap then.
            rung = await lesser.playlist(msn=4)
            return rung if "#EXT-X-GAP" not in "".join(rung.text.split("#EXTINF")[-3:-1]) else None

        rung = await eventually(whole, what="two whole segments of the second rendition")
        source = await playing.playlist()  # After the rung's, so that it has all of that; on a busy machine more.
        [init] = rung.maps
        film = b"".join([await lesser.resource(name) for name in (init, *rung.segments[-2:])])
        words = await decoded(ffmpeg, film, tmp_path)

    # What an adaptive player needs to change between them at any segment: the same numbers at the same times.
    both = [times_by_number(playlist) for playlist in (source, rung)]
    shared = both[0].keys() & both[1].keys()

    assert re.findall(r"RESOLUTION=(\S+?),", listed) == ["320x180", "256x144"]
    assert [both[0][number] for number in shared] == [both[1][number] for number in shared]
    assert len(shared) >= 3
    assert "256x144" in words
    assert "Audio: aac" in words


def times_by_number(playlist):
    """When each whole segment was filmed, and how long it is, by its number."""
    times = re.findall(r"#EXT-X-PROGRAM-DATE-TIME:(.*)|#EXTINF:(.*)", playlist.text)
    date, found = "", {}
    for dated, length in times:
        date = dated or date
        if length:
            found[playlist.sequence + len(found)] = (date, length)
    return found


async def test_a_wrong_key_is_refused_with_a_readable_word(house, ffmpeg):
    before = set(await house.live_channels())  # Those of tests before end when they end.
    async with Encoder(ffmpeg, house.rtmp_url, "nobody-has-this-key") as encoder:
        code = await encoder.ended()

    assert code != 0
    assert "unknown stream key" in encoder.text
    assert "nobody-has-this-key" not in "\n".join(house.lines)  # A key, even a wrong one, is nobody's to read in a log.
    assert set(await house.live_channels()) <= before


async def test_a_key_in_use_is_refused_and_the_picture_goes_on(house, ffmpeg, nickname, player):
    streamer = await house.sign_up(nickname())
    async with Encoder(ffmpeg, streamer.stream_server, streamer.stream_key) as first:
        playing = await player(house, await house.on_air(streamer.nickname))
        async with Encoder(ffmpeg, streamer.stream_server, streamer.stream_key) as second:
            assert await second.ended() != 0
        playlist = await playing.playlist()
        playlist = await playing.playlist(msn=playlist.next_sequence)

        assert "already" in second.text
        assert first.process.returncode is None
        assert playlist.discontinuities == 0


async def test_the_same_key_continues_with_a_discontinuity(house, ffmpeg, nickname, player):
    streamer = await house.sign_up(nickname())
    async with house.connect() as viewer:
        watch = viewer.watch(streamer.nickname)
        async with Encoder(ffmpeg, streamer.stream_server, streamer.stream_key):
            before = await house.on_air(streamer.nickname)
            playing = await player(house, before)
            first = await playing.playlist(msn=(await playing.playlist()).next_sequence)
        # The encoder was killed without a word, as a laptop that loses its network.
        await watch.until(lambda event: event["kind"] == "interrupted")
    async with Encoder(ffmpeg, streamer.stream_server, streamer.stream_key) as again:

        async def continued():
            assert again.process.returncode is None, again.text
            playlist = await playing.playlist()
            return playlist if playlist.discontinuities else None

        playlist = await eventually(continued, what="the discontinuity")
        after = await house.on_air(streamer.nickname)

        assert playlist.next_sequence > first.next_sequence
        assert playlist.discontinuities == 1
        assert after["playback"] == before["playback"]
        assert not playlist.ended


async def test_a_sidecar_that_is_killed_comes_back_with_the_sequence_unbroken(
    new_house, ffmpeg, nickname, player, tmp_path
):
    house = await new_house().start()
    streamer = await house.sign_up(nickname())
    async with Encoder(ffmpeg, streamer.stream_server, streamer.stream_key):
        before = await house.on_air(streamer.nickname)
        playing = await player(house, before)
        first = await playing.playlist(msn=(await playing.playlist()).next_sequence)
        # Of the console's own children: what the sidecar has just forked still has its words.
        children = psutil.Process(house.process.pid).children()
        [sidecar] = [each for each in children if words_of(each)[1:] == ["-m", "media"]]
        sidecar.kill()

    async def back():
        try:
            return await playing.playlist()
        except (aiohttp.ClientError, AssertionError):
            return None

    interrupted = await eventually(back, what="the sidecar")
    async with Encoder(ffmpeg, streamer.stream_server, streamer.stream_key) as again:

        async def continued():
            assert again.process.returncode is None, again.text
            playlist = await playing.playlist()
            return playlist if playlist.discontinuities else None

        playlist = await eventually(continued, what="the discontinuity")
        after = await house.on_air(streamer.nickname)
        dvr = await player(house, {"playback": str(after["playback"]).replace("index.m3u8", "dvr.m3u8")})
        past = await dvr.playlist()
        film = b"".join([await dvr.resource(name) for name in (*past.maps[:1], *past.segments)])
        words = await decoded(ffmpeg, film, tmp_path)

    assert interrupted.sequence == first.sequence == playlist.sequence == past.sequence == 1
    assert interrupted.next_sequence >= first.next_sequence
    assert interrupted.segments[: len(first.segments)] == first.segments
    assert not interrupted.ended
    assert playlist.segments[: len(interrupted.segments)] == interrupted.segments
    assert playlist.discontinuities == 1
    assert after["playback"] == before["playback"]
    assert "Video: h264" in words


async def test_rotating_the_key_cuts_the_publisher(house, ffmpeg, nickname):
    streamer = await house.sign_up(nickname())
    async with Encoder(ffmpeg, streamer.stream_server, streamer.stream_key) as encoder:
        await house.on_air(streamer.nickname)
        fresh = await house.api("POST", f"/api/channels/{streamer.nickname}/stream-key", {}, token=streamer.token)
        await encoder.ended()  # It is cut; ffmpeg notices with its next write.

    assert fresh["key"] != streamer.stream_key
    async with Encoder(ffmpeg, streamer.stream_server, streamer.stream_key) as old:
        assert await old.ended() != 0
        assert "unknown stream key" in old.text
    async with Encoder(ffmpeg, fresh["server"], fresh["key"]) as new:
        await house.on_air(streamer.nickname)
        assert new.process.returncode is None


async def test_only_the_owner_rotates_a_key(house, nickname):
    streamer, other = await house.sign_up(nickname()), await house.sign_up(nickname())
    for token, code in ((None, "auth.members_only"), (other.token, "auth.forbidden")):
        with pytest.raises(RefusedError) as refused:
            await house.api("POST", f"/api/channels/{streamer.nickname}/stream-key", {}, token=token)
        assert refused.value.code == code


@pytest.mark.timeout(300)  # The house waits for its encoder, and then for its last viewers, forty seconds in all.
async def test_a_clean_end_leaves_the_air_and_nothing_behind(house, ffmpeg, nickname, player):
    streamer = await house.sign_up(nickname())
    async with Encoder(ffmpeg, streamer.stream_server, streamer.stream_key, "-t", "4") as encoder:
        playing = await player(house, await house.on_air(streamer.nickname))
        await encoder.ended()

    async def off_air():
        return streamer.nickname not in await house.live_channels()

    await eventually(off_air, what="off air")
    await eventually(lambda: gone(house, playing.playback), what="the sweep")

    assert streamer.nickname not in await house.live_channels()


async def gone(house, playback):
    async with house.http.get(playback) as answer:
        return answer.status == 404
