"""Shell: what encoders of the world sent once (tests/vectors/rtmp), sent again to the real port: it plays."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from db.channel import hash_stream_key
from db.channels import Channels
from db.members import Members
from media.broadcast import State
from media.broadcasts import Broadcasts
from media.rtmp_ingest.server import serve
from tests.media import films
from tests.media.checker import Checker

FOLDER = Path(__file__).parents[1] / "vectors" / "rtmp"
SECONDS = 60  # For what should take milliseconds. Nothing below waits for it to pass.
# As a network delivers them: no message begins where a read does.
READ_BYTES = 1460

# Name: codecs as the playlist says them, size, and how many pictures and packets of sound play.
RECORDINGS = {
    "obs29_avc_aac_start": ("avc1.42C015,mp4a.40.2", "424x240", 2, 4),
    "ffmpeg4_avc_aac": ("avc1.42C00A,mp4a.40.2", "96x64", 15, 45),
    "ffmpeg9_avc_aac": ("avc1.42C00A,mp4a.40.2", "64x48", 10, 45),
    "ffmpeg9_hevc": ("hvc1.1.6.L30.90", "64x48", 5, 0),
    "ffmpeg9_av1_opus": ("av01.0.00M.08,opus", "64x48", 5, 26),
    "ffmpeg9_extended_timestamps": ("avc1.42C00A", "160x96", 6, 0),
    "ffmpeg9_two_tracks": ("avc1.42C00A", "96x64", 9, 0),
    "gstreamer122_avc_aac": ("avc1.F4000A,mp4a.40.2", "64x48", 6, 21),
    "librtmp_avc_aac_ping": ("avc1.F4000A,mp4a.40.2", "64x48", 6, 21),
}


def test_every_recording_has_its_row():
    assert {path.stem for path in FOLDER.glob("*.bin")} == set(RECORDINGS)


@pytest.fixture
async def house(pool, tmp_path):
    """Broadcasts behind a real port, for whoever has the key of the recordings."""
    await Members(pool).add(
        login_id="nyan", nickname="Nyan", password_hash="x", stream_key_hash=hash_stream_key("demo_key")
    )
    states: asyncio.Queue[State] = asyncio.Queue()

    async def on_state(_, state):
        states.put_nowait(state)

    broadcasts = Broadcasts(Channels(pool), root=tmp_path, ladder=("source",), ffmpeg=None, on_state=on_state)
    server = await serve("127.0.0.1", 0, broadcasts)
    yield broadcasts, server, states
    await server.close()
    await broadcasts.close()


async def replay(server, data: bytes) -> None:
    """Send it as fast as it is taken, and hang up without another word."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    hearing = asyncio.create_task(reader.read())
    for at in range(0, len(data), READ_BYTES):
        writer.write(data[at : at + READ_BYTES])
        await writer.drain()
    writer.write_eof()
    await hearing
    writer.close()


@pytest.mark.parametrize("name", RECORDINGS)
async def test_it_plays(house, ffmpeg, tmp_path, name):
    broadcasts, server, states = house
    codecs, size, pictures, packets = RECORDINGS[name]
    async with asyncio.timeout(SECONDS):
        await replay(server, (FOLDER / f"{name}.bin").read_bytes())
        assert State.LIVE is await states.get()
        assert State.INTERRUPTED is await states.get()
    writer, checker = broadcasts.find("Nyan"), Checker()
    writer.end()
    multivariant = (await writer.multivariant()).decode()
    listed = checker.see(await writer.media_playlist("source", msn=None, part=None, skip=False))
    film = b"".join(
        [(await writer.resource(each)).data for each in ("source_init1.mp4", *(s.uri for s in listed.segments))]
    )
    (path := tmp_path / "film.mp4").write_bytes(film)

    assert checker.findings == []
    assert f'CODECS="{codecs}"' in multivariant
    assert f"RESOLUTION={size}" in multivariant
    assert pictures == len(films.md5s(ffmpeg, path, "v"))
    assert packets == (len(films.md5s(ffmpeg, path, "a")) if packets else 0)
