"""Core: the SETUP frame, read as Protocol.md lays it out, with every length checked."""

from __future__ import annotations

from dataclasses import dataclass

from rsocket_server import frames, limits
from rsocket_server.frames import ErrorCode
from rsocket_server.gate_errors import ResumeUnsupported, SetupMalformed, SetupUnsupported
from rsocket_server.metadata import COMPOSITE_MIME, ROUTING_MIME

_FIXED_BYTES = frames.HEADER_BYTES + 12


@dataclass(frozen=True, slots=True)
class Setup:
    """A SETUP that is good by itself.

    Attributes:
        lifetime_seconds: how long the client may be silent, within our limits.
        metadata_mime: of every request's metadata, one of the two that carry a route.
        metadata: of SETUP itself; may hold a token.
    """

    lifetime_seconds: float
    metadata_mime: bytes
    metadata: bytes


def read_setup(message: bytes) -> Setup:
    """Read a SETUP frame on stream 0.

    Raises:
        SetupMalformed: lengths do not add up, or a time is zero.
        SetupUnsupported: another major version, leases, or metadata that carries no route.
        ResumeUnsupported: resumption is asked for.
    """
    if len(message) < _FIXED_BYTES:
        raise SetupMalformed("length")
    flags = (message[4] & 3) << 8 | message[5]
    # "Resume Enable" and "Will honor LEASE": refused before anything else is read, as resumption moves what follows.
    if flags & frames.FLAG_RESUME:
        raise ResumeUnsupported(ErrorCode.REJECTED_SETUP)
    if flags & frames.FLAG_LEASE:
        raise SetupUnsupported("lease")
    # A minor version only adds; a major one may change what every byte means.
    if int.from_bytes(message[6:8]) != 1:
        raise SetupUnsupported("version")
    keepalive_ms = int.from_bytes(message[10:14]) & frames.STREAM_ID_MASK
    lifetime_ms = int.from_bytes(message[14:18]) & frames.STREAM_ID_MASK
    # "Value MUST be > 0", said of both.
    if not keepalive_ms:
        raise SetupMalformed("keepalive interval")
    if not lifetime_ms:
        raise SetupMalformed("lifetime")
    offset, metadata_mime = _mime(message, _FIXED_BYTES, "metadata type")
    # Data is opaque to this engine: any type will do.
    offset, _ = _mime(message, offset, "data type")
    metadata = _metadata(message, offset) if flags & frames.FLAG_METADATA else b""
    if metadata_mime not in {COMPOSITE_MIME, ROUTING_MIME}:
        raise SetupUnsupported("metadata type")
    lifetime = min(max(lifetime_ms / 1000, limits.LIFETIME_SECONDS_MIN), limits.LIFETIME_SECONDS_MAX)
    return Setup(lifetime, metadata_mime, metadata)


def _mime(message: bytes, offset: int, what: str) -> tuple[int, bytes]:
    if offset >= len(message):
        raise SetupMalformed(what)
    end = offset + 1 + message[offset]
    if end > len(message):
        raise SetupMalformed(what)
    return end, message[offset + 1 : end]


def _metadata(message: bytes, offset: int) -> bytes:
    start = offset + 3
    if start > len(message):
        raise SetupMalformed("metadata length")
    end = start + int.from_bytes(message[offset:start])
    if end > len(message):
        raise SetupMalformed("metadata length")
    return message[start:end]
