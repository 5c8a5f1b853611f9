"""Core: the words of an RTMP server: what a publisher is told, and in which order (RTMP 1.0 §7.2; Enhanced RTMP v2)."""

from __future__ import annotations

from typing import Any, Final

from media import flv
from media.rtmp_ingest.amf_values import EcmaArray
from media.rtmp_ingest.messages import Command

# What the clients that look at it know: the version that Flash Media Server 3.5 said.
SERVER_VERSION: Final = "FMS/3,5,7,7009"
SERVER_CAPABILITIES: Final = 31.0

# Codecs that the house packages: what is answered here is what media/flv.py takes.
VIDEO_FOURCCS: Final = tuple(fourcc.decode() for fourcc in flv.VIDEO_FOURCCS)
AUDIO_FOURCCS: Final = tuple(fourcc.decode() for fourcc in flv.AUDIO_FOURCCS)
CAN_FORWARD: Final = 4.0  # A FourCcInfoMask: neither decoded nor encoded here.
# CapsExMask: ModEx is read. Reconnect (1) is not there: a publisher is never sent elsewhere. Further tracks (2) and
# nanoseconds (8) break nothing, but they are lost.
EXTENDED_CAPABILITIES: Final = 0x04

Pairs = dict[str, Any]


def connect_result(command: Command) -> Command:
    """Return the answer to an accepted `connect`."""
    asked = command.object if isinstance(command.object, dict) else {}
    encoding = asked.get("objectEncoding")
    information = {
        "level": "status",
        "code": "NetConnection.Connect.Success",
        "description": "Connection succeeded.",
        "objectEncoding": encoding if encoding in {0.0, 3.0} else 0.0,
        **enhanced_capabilities(asked),
    }
    properties = {"fmsVer": SERVER_VERSION, "capabilities": SERVER_CAPABILITIES}
    return Command("_result", command.transaction, properties, [information])


def enhanced_capabilities(asked: Pairs) -> Pairs:
    """Return what Enhanced RTMP lets a server say, each key only to a client that said it first."""
    answer: Pairs = {}
    if isinstance(wanted := asked.get("fourCcList"), list):
        anything = "*" in wanted
        answer["fourCcList"] = [each for each in VIDEO_FOURCCS + AUDIO_FOURCCS if anything or each in wanted]
    for key, fourccs in (("videoFourCcInfoMap", VIDEO_FOURCCS), ("audioFourCcInfoMap", AUDIO_FOURCCS)):
        if isinstance(asked.get(key), dict):
            answer[key] = dict.fromkeys(fourccs, CAN_FORWARD)
    wished = asked.get("capsEx")
    if isinstance(wished, float) and 0 <= wished < 1 << 32:
        answer["capsEx"] = float(int(wished) & EXTENDED_CAPABILITIES)
    return answer


def connect_error(command: Command, code: str, description: str) -> Command:
    """Return the answer to a refused `connect`."""
    return Command("_error", command.transaction, None, [information("error", code, description)])


def result(command: Command, *values: Any) -> Command:
    """Return the plain answer to a command that wants one."""
    return Command("_result", command.transaction, None, list(values))


def status(level: str, code: str, description: str) -> Command:
    """Return an `onStatus`: `level` is "status" or "error"."""
    return Command("onStatus", 0.0, None, [information(level, code, description)])


def notice(name: str, code: str, description: str) -> Command:
    """Return `onFCPublish` or `onFCUnpublish`, which FMLE and its kin wait for."""
    return Command(name, 0.0, None, [EcmaArray(code=code, description=description)])


def information(level: str, code: str, description: str) -> Pairs:
    """Return an information object; its key order is the one that encoders' debug output shows."""
    return {"level": level, "code": code, "description": description}
