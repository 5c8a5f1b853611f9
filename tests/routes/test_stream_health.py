import json
from dataclasses import replace

import msgspec

from media.broadcast import State
from media.stream_health import Look
from routes.stream_health import OFF_AIR, view
from tests.media.test_verdicts import PICTURE, SOUND, WELL

KEY = "sk_live_health"
PATH = "/api/channels/나비/health"


def _wire(look):
    return json.loads(msgspec.json.encode(view(look)))


def _look(report, *renditions, state=State.LIVE):
    return Look(state=state, renditions=renditions, encoded=len(renditions) > 1, refused=False, report=report)


def test_every_number_on_the_wire():
    picture = replace(PICTURE, frames_a_second=29.96, keyframe_seconds=8.333)
    sound = replace(SOUND, drift_ms=-12.4)
    report = replace(WELL, picture=picture, sound=sound, speed=0.9876, picture_gaps=1, sound_gaps=2, stalls=3)

    assert _wire(_look(report, "source", "480p")) == {
        "state": "live",
        "seconds": 60,
        "encoder": "OBS",
        "connections": 1,
        "speed": 0.99,
        "picture": {
            "codec": "avc1.64001F",
            "width": 1280,
            "height": 720,
            "frames_a_second": 30.0,
            "kilobits_a_second": 4000,
            "keyframe_seconds": 8.3,
            "b_frames": False,
        },
        "sound": {"codec": "mp4a.40.2", "rate": 48000, "channels": 2, "kilobits_a_second": 160, "drift_ms": -12},
        "gaps": {"picture": 1, "sound": 2, "line": 3},
        "renditions": ["source", "480p"],
        "verdicts": [
            {"code": "line.stalls", "level": "bad", "values": {"count": 3}},
            {"code": "keyframes.long", "level": "bad", "values": {"seconds": 8.3}},
            {"code": "picture.gaps", "level": "bad", "values": {"count": 1}},
            {"code": "sound.gaps", "level": "bad", "values": {"count": 2}},
        ],
    }


def test_what_is_not_known_or_not_there_is_null():
    picture = replace(PICTURE, frames_a_second=None, keyframe_seconds=None)
    shown = _wire(_look(replace(WELL, picture=picture, sound=None, speed=None, encoder=None), "source"))

    assert (shown["picture"]["frames_a_second"], shown["picture"]["keyframe_seconds"]) == (None, None)
    assert (shown["sound"], shown["speed"], shown["encoder"]) == (None, None, None)
    nothing = _wire(_look(replace(WELL, picture=None, sound=replace(SOUND, drift_ms=None))))
    assert (nothing["picture"], nothing["sound"]["drift_ms"]) == (None, None)


def test_while_nothing_comes_in_only_the_state_says_something():
    assert _wire(None)["state"] == OFF_AIR
    away = _wire(_look(None, "source", state=State.INTERRUPTED))

    assert away["state"] == "interrupted"
    assert away["renditions"] == ["source"]
    assert {key for key, value in away.items() if value} == {"state", "renditions"}


async def test_an_owner_sees_his_stream(channel_client, new_member, bearer, on_air):
    nabi = await new_member("나비", key=KEY)
    headers = bearer(nabi.id, "나비")
    assert (await (await channel_client.get(PATH, headers=headers)).json())["state"] == OFF_AIR

    feed = await on_air.publish(KEY)
    await feed.metadata({"encoder": "obs-output module (libobs version 31.0.0)", "width": 99_999})
    shown = await (await channel_client.get(PATH, headers=headers)).json()

    assert (shown["state"], shown["connections"], shown["renditions"]) == ("live", 1, ["source"])
    assert shown["encoder"] == "obs-output module (libobs version 31.0.0)"
    assert (shown["picture"]["width"], shown["picture"]["height"]) == (160, 90)
    assert (shown["picture"]["frames_a_second"], shown["picture"]["keyframe_seconds"]) == (30.0, 1.0)
    assert (shown["sound"]["rate"], shown["sound"]["codec"]) == (48_000, "mp4a.40.2")
    assert "keyframes.good" in [verdict["code"] for verdict in shown["verdicts"]]

    await feed.end(clean=False)
    assert (await (await channel_client.get(PATH, headers=headers)).json())["state"] == "interrupted"


async def test_an_owner_sees_how_the_broadcast_has_done_so_far(channel_client, new_member, bearer, on_air):
    nabi = await new_member("나비", key=KEY)
    headers = bearer(nabi.id, "나비")

    async def history(cursor=""):
        return await (await channel_client.get(f"{PATH}/history", params={"cursor": cursor}, headers=headers)).json()

    nothing = {"first": 0, "viewers": [], "kilobits": [], "frames": [], "keyframe_seconds": []}
    assert await history() == {"every_seconds": 5.0, **nothing}

    feed = await on_air.publish(KEY)
    await on_air.histories.sample()
    await feed.end(clean=False)
    await on_air.histories.sample()
    shown = await history()

    assert (shown["first"], shown["viewers"]) == (0, [0, 0])
    assert (shown["frames"], shown["keyframe_seconds"]) == ([30.0, None], [1.0, None])
    assert shown["kilobits"][0] > 0
    assert shown["kilobits"][1] is None
    assert await history("2") == {"every_seconds": 5.0, **nothing, "first": 2}
    assert (await channel_client.get(f"{PATH}/history", params={"cursor": "x"}, headers=headers)).status == 400


async def test_how_a_broadcast_has_done_is_its_owners_alone(channel_client, new_member, bearer):
    await new_member("나비")
    miso = await new_member("miso")

    assert (await channel_client.get(f"{PATH}/history", headers=bearer(miso.id, "miso"))).status == 403
    assert (await channel_client.get(f"{PATH}/history")).status == 401
