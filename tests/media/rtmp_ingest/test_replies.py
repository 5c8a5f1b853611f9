from __future__ import annotations

import math

import pytest

from media.flv import read_audio, read_video
from media.rtmp_ingest import messages, replies
from media.rtmp_ingest.messages import Command

CONNECT = Command("connect", 1.0, {"app": "live"}, [])


def asked(**keys: object) -> Command:
    return Command("connect", 1.0, {"app": "live", **keys}, [])


def test_connect_is_answered_in_the_words_that_encoders_know():
    result = replies.connect_result(CONNECT)

    assert result.name == "_result"
    assert result.transaction == 1.0
    assert result.object == {"fmsVer": "FMS/3,5,7,7009", "capabilities": 31.0}
    assert result.arguments == [
        {
            "level": "status",
            "code": "NetConnection.Connect.Success",
            "description": "Connection succeeded.",
            "objectEncoding": 0.0,
        }
    ]


@pytest.mark.parametrize(
    ("wished", "said"), [(0.0, 0.0), (3.0, 3.0), (1.0, 0.0), (math.nan, 0.0), ("3", 0.0), (None, 0.0)]
)
def test_object_encoding_is_echoed_if_there_is_such(wished, said):
    assert replies.connect_result(asked(objectEncoding=wished)).arguments[0]["objectEncoding"] == said


@pytest.mark.parametrize("strange", [None, "live", 1.0, ["app"]])
def test_connect_without_an_object_is_answered(strange):
    assert replies.connect_result(Command("connect", 1.0, strange, [])).name == "_result"


# Enhanced RTMP: what was asked, what is said.
CAPABILITIES = {
    "nothing asked": ({}, {}),
    "codecs we pass on": ({"fourCcList": ["av01", "hvc1"]}, {"fourCcList": ["hvc1", "av01"]}),
    "a codec that we refuse": ({"fourCcList": ["vp09", "fLaC", "mp4a"]}, {"fourCcList": ["mp4a"]}),
    "a codec that nobody knows": ({"fourCcList": ["xxxx"]}, {"fourCcList": []}),
    "any codec": ({"fourCcList": ["*"]}, {"fourCcList": ["avc1", "hvc1", "av01", "mp4a", "Opus"]}),
    "a list that is none": ({"fourCcList": "av01"}, {}),
    "a list of nonsense": ({"fourCcList": [1.0, None, {"a": 1.0}]}, {"fourCcList": []}),
    "video map": (
        {"videoFourCcInfoMap": {"av01": 1.0}},
        {"videoFourCcInfoMap": {"avc1": 4.0, "hvc1": 4.0, "av01": 4.0}},
    ),
    "audio map": ({"audioFourCcInfoMap": {"*": 7.0}}, {"audioFourCcInfoMap": {"mp4a": 4.0, "Opus": 4.0}}),
    "a map that is none": ({"videoFourCcInfoMap": 7.0}, {}),
    "all capabilities": ({"capsEx": 15.0}, {"capsEx": 4.0}),
    "reconnect alone": ({"capsEx": 1.0}, {"capsEx": 0.0}),
    "capabilities to come": ({"capsEx": 4294967295.0}, {"capsEx": 4.0}),
    "negative": ({"capsEx": -1.0}, {}),
    "not a number": ({"capsEx": math.nan}, {}),
    "infinite": ({"capsEx": math.inf}, {}),
    "true": ({"capsEx": True}, {}),
}


@pytest.mark.parametrize(("keys", "expected"), CAPABILITIES.values(), ids=CAPABILITIES)
def test_enhanced_capabilities_are_told_to_who_asks(keys, expected):
    assert replies.enhanced_capabilities(keys) == expected


@pytest.mark.parametrize(("fourccs", "read"), [("video", read_video), ("audio", read_audio)])
def test_what_is_told_is_taken(fourccs, read):
    [told] = replies.enhanced_capabilities({f"{fourccs}FourCcInfoMap": {"*": 7.0}}).values()

    assert told
    for fourcc in told:
        assert read(b"\x90" + fourcc.encode() + b"config").data == b"config"


def test_every_reply_can_be_written():
    for reply in (
        replies.connect_result(asked(fourCcList=["*"], capsEx=15.0, videoFourCcInfoMap={})),
        replies.connect_error(CONNECT, "code", "words"),
        replies.result(CONNECT),
        replies.result(CONNECT, 1.0),
        replies.status("error", "code", "words"),
        replies.notice("onFCPublish", "code", "words"),
    ):
        assert messages.read(*messages.write(reply)) == reply


def test_an_error_and_a_status_carry_their_words():
    expected = {"level": "error", "code": "C", "description": "words"}

    assert replies.connect_error(CONNECT, "C", "words").arguments == [expected]
    assert replies.connect_error(CONNECT, "C", "words").transaction == 1.0
    assert replies.status("error", "C", "words").arguments == [expected]
    assert replies.status("error", "C", "words").transaction == 0.0
