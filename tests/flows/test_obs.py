"""The encoder our users have: OBS Studio, headless under Xvfb, against the real RTMP port.

Debian: obs-studio obs-plugins xvfb libgl1-mesa-dri. The settings below are the few that differ from OBS's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal

import pytest
from house import WAIT_SECONDS, eventually

REMEDY = "apt-get install --no-install-recommends obs-studio obs-plugins xvfb libgl1-mesa-dri"

GLOBAL_INI = """\
[General]
FirstRun=true
EnableAutoUpdates=false
ConfirmOnExit=false

[Basic]
Profile=Flow
ProfileDir=Flow
SceneCollection=Flow
SceneCollectionFile=Flow

[BasicWindow]
PreviewEnabled=false
WarnBeforeStartingStream=false
WarnBeforeStoppingStream=false
SysTrayEnabled=true

[OBSWebSocket]
ServerEnabled=false
"""
# 240 lines: the software renderer, not x264, is what limits a machine without a GPU.
BASIC_INI = """\
[General]
Name=Flow

[Video]
BaseCX=426
BaseCY=240
OutputCX=426
OutputCY=240
FPSCommon=30

[Output]
Mode=Simple

[SimpleOutput]
VBitrate=800
ABitrate=160
StreamEncoder=x264
UseAdvanced=true
Preset={preset}
x264Settings=keyint=60

[Audio]
SampleRate=48000
ChannelSetup=Stereo
"""


def scene(film):
    return {
        "name": "Flow",
        "current_scene": "Scene",
        "current_program_scene": "Scene",
        "scene_order": [{"name": "Scene"}],
        "sources": [
            {
                "id": "scene",
                "versioned_id": "scene",
                "name": "Scene",
                "settings": {"id_counter": 1, "items": [{"id": 1, "name": "Film", "visible": True}]},
            },
            {
                "id": "ffmpeg_source",
                "versioned_id": "ffmpeg_source",
                "name": "Film",
                "mixers": 255,
                "settings": {"is_local_file": True, "local_file": str(film), "looping": True},
            },
        ],
    }


@pytest.fixture(scope="session")
async def film(ffmpeg, tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    process = await asyncio.create_subprocess_exec(
        *(ffmpeg, "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=426x240:rate=30"),
        *("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", "10"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-ac", "2", str(path)),
    )
    assert await process.wait() == 0
    return path


@pytest.fixture(scope="session")
async def display():
    """A screen nobody looks at; the server itself picks a free number."""
    assert shutil.which("Xvfb"), f"no Xvfb here: {REMEDY}"
    server = await asyncio.create_subprocess_exec(
        *("Xvfb", "-displayfd", "1", "-screen", "0", "800x600x24", "-nolisten", "tcp", "+extension", "GLX"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert server.stdout is not None
    number = await server.stdout.readline()
    yield f":{number.decode().strip()}"
    server.terminate()
    await server.wait()


@pytest.fixture
def obs(display, film, tmp_path):
    """Start an OBS that streams at once: `async with obs(server, key, preset=…) as process`."""
    assert shutil.which("obs"), f"no OBS here: {REMEDY}"

    @contextlib.asynccontextmanager
    async def run(server, key, *, preset="ultrafast"):
        settings = tmp_path / ".config" / "obs-studio"
        profile = settings / "basic" / "profiles" / "Flow"
        runtime = tmp_path / "runtime"
        profile.mkdir(parents=True)
        runtime.mkdir(mode=0o700)
        (settings / "basic" / "scenes").mkdir()
        service = {"type": "rtmp_custom", "settings": {"server": server, "key": key}}
        (settings / "global.ini").write_text(GLOBAL_INI, encoding="utf-8")
        (profile / "basic.ini").write_text(BASIC_INI.format(preset=preset), encoding="utf-8")
        (profile / "service.json").write_text(json.dumps(service), encoding="utf-8")
        (settings / "basic" / "scenes" / "Flow.json").write_text(json.dumps(scene(film)), encoding="utf-8")
        with (tmp_path / "obs.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *("obs", "--multi", "--startstreaming", "--minimize-to-tray", "--disable-updater"),
                *("--disable-missing-files-check", "--profile", "Flow", "--collection", "Flow", "--scene", "Scene"),
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": str(tmp_path),
                    "XDG_RUNTIME_DIR": str(runtime),
                    "DISPLAY": display,
                    "LIBGL_ALWAYS_SOFTWARE": "1",
                    "QT_QPA_PLATFORM": "xcb",
                    "LANG": "C.UTF-8",
                },
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
            )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    return run


@pytest.mark.parametrize(
    ("preset", "profile"),
    [("ultrafast", "Constrained Baseline"), ("veryfast", "High")],  # The second one has B-frames.
)
async def test_obs_streams_plays_and_stops(house, ffmpeg, nickname, player, obs, tmp_path, preset, profile):
    streamer = await house.sign_up(nickname())
    async with obs(streamer.stream_server, streamer.stream_key, preset=preset) as process:
        playing = await player(house, await house.on_air(streamer.nickname))
        first = await playing.playlist()
        playlist = await playing.playlist(msn=first.next_sequence + 1)
        film = tmp_path / "played.mp4"
        names = [*playlist.maps, *playlist.segments[-2:]]
        film.write_bytes(b"".join([await playing.resource(name) for name in names]))
        reader = await asyncio.create_subprocess_exec(
            *(ffmpeg, "-hide_banner", "-nostdin", "-xerror", "-i", str(film), "-f", "null", "-"),
            stderr=asyncio.subprocess.PIPE,
        )
        _, words = await reader.communicate()
        health = await house.api("GET", f"/api/channels/{streamer.nickname}/health", token=streamer.token)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(WAIT_SECONDS):
            await process.wait()

        async def off_air():
            return streamer.nickname not in await house.live_channels()

        await eventually(off_air, what="off air after a clean stop")

    assert reader.returncode == 0, words.decode()
    assert re.search(rf"Video: h264 \({profile}\).*424x240", words.decode())
    assert "Audio: aac (LC)" in words.decode()
    assert "libobs" in health["encoder"]
    assert (health["picture"]["width"], health["picture"]["height"]) == (424, 240)
    assert health["picture"]["b_frames"] == (profile == "High")
    assert playlist.discontinuities == 0


async def test_obs_with_a_wrong_key_is_told_so(house, obs, tmp_path):
    before = set(await house.live_channels())  # Those of tests before end when they end.
    async with obs(house.rtmp_url, "nobody-has-this-key"):

        def told():
            return "NetStream.Publish.BadName" in (tmp_path / "obs.log").read_text(errors="replace")

        await eventually(told, what="the word in OBS's log")

    assert set(await house.live_channels()) <= before
