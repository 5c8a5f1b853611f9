"""Core: the first track of a multitrack packet of Enhanced RTMP, as the plain packet that it would be by itself.

An encoder that sends several tracks sends the first one (id 0) as plain packets, or all in multitrack packets; both
play. Further tracks are passed over: `capsEx` tells an encoder that asks that they are not taken.
"""

from __future__ import annotations

from typing import Final

from media.flv import AUDIO_FOURCCS_FORMAT, MULTITRACK, TagKind, TagTruncated, after_mod_ex

# AvMultitrackType: one track without a size; several of one codec; several that each say theirs.
ONE_TRACK: Final = 0
MANY_CODECS: Final = 2


def first_track(kind: TagKind, payload: bytes) -> bytes | None:
    """Return `payload` if it is plain, the first track of a multitrack packet, or None if that is not in it.

    Raises TagTruncated.
    """
    if not payload:
        return payload
    first = payload[0]
    enhanced = first & 0x80 if kind is TagKind.VIDEO else first >> 4 == AUDIO_FOURCCS_FORMAT
    if not enhanced:
        return payload
    packet, position = after_mod_ex(payload, first & 0x0F)
    if packet != MULTITRACK[kind]:
        return payload
    found = _find(payload, position)
    if found is None:
        return None
    packet, fourcc, data = found
    return bytes((first & 0xF0 | packet,)) + fourcc + data


def _find(payload: bytes, position: int) -> tuple[int, bytes, bytes] | None:
    """Packet type, FourCC and body of track 0. Each turn eats an id at least."""
    (both,), position = _take(payload, position, 1)
    form, packet = both >> 4, both & 0x0F
    fourcc = b""
    if form != MANY_CODECS:
        fourcc, position = _take(payload, position, 4)
    while position < len(payload):
        if form == MANY_CODECS:
            fourcc, position = _take(payload, position, 4)
        (track,), position = _take(payload, position, 1)
        size = len(payload) - position
        if form != ONE_TRACK:
            length, position = _take(payload, position, 3)
            size = int.from_bytes(length, "big")
        data, position = _take(payload, position, size)
        if track == 0:
            return packet, fourcc, data
    return None


def _take(payload: bytes, position: int, size: int) -> tuple[bytes, int]:
    end = position + size
    if end > len(payload):
        raise TagTruncated(len(payload))
    return payload[position:end], end
