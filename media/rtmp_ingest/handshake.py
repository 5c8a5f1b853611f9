"""Core: the server's RTMP handshake, simple and with digests (RTMP 1.0 §5.2; the digest form was never published).

    client  C0 (1 byte)  C1 (1536)                      C2 (1536)  chunks …
    server                          S0 S1 S2 (3073)

The simple form echoes. The digest form, which Flash Player 9 brought, hides an HMAC-SHA256 of C1 inside C1 and wants
one of its own back; encoders that use it and are answered simply still stream, but players such as ffmpeg's check it.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from media.rtmp_ingest.errors import HandshakeError

VERSION: Final = 3
PACKET_BYTES: Final = 1536
DIGEST_BYTES: Final = 32
# Random bytes one handshake uses at most: 1528 in S1 and 1504 in a digest S2.
NONCE_BYTES: Final = (PACKET_BYTES - 8) + (PACKET_BYTES - DIGEST_BYTES)

# Where the four bytes stand whose sum says where the digest stands; the digest lies in the 728 bytes after them.
OFFSET_BASES: Final = (8, 772)
OFFSET_RANGE: Final = 728

CLIENT_WORDS: Final = b"Genuine Adobe Flash Player 001"
SERVER_WORDS: Final = b"Genuine Adobe Flash Media Server 001"
# The constant that follows the words when S2 is signed.
SERVER_CONSTANT: Final = bytes.fromhex("f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae")
SERVER_VERSION: Final = bytes((4, 5, 0, 1))


class UnknownVersion(HandshakeError):
    """C0 was not 3: an encrypted RTMPE peer (6), or no RTMP at all (TLS 22, HTTP 71)."""

    def __init__(self, version: int) -> None:
        super().__init__(version)
        self.version = version

    def __str__(self) -> str:
        return f"first byte {self.version} is not RTMP's version 3"


@dataclass(frozen=True, slots=True)
class Progress:
    """What to do after bytes came: send `reply`; once `done`, hand `rest` to the chunk reader."""

    reply: bytes
    done: bool
    rest: bytes


class Handshake:
    """The server's side. `nonce` is NONCE_BYTES of randomness, used once."""

    def __init__(self, nonce: bytes) -> None:
        assert len(nonce) >= NONCE_BYTES
        self._nonce = nonce
        self._held = b""
        self._answered = False

    def receive_data(self, data: bytes) -> Progress:
        """Take bytes in any split. Raises UnknownVersion. Not to be called again after `done`."""
        self._held += data
        reply = b""
        if self._held and self._held[0] != VERSION:
            raise UnknownVersion(self._held[0])
        if not self._answered:
            if len(self._held) < 1 + PACKET_BYTES:
                return Progress(reply, done=False, rest=b"")
            reply = answer(self._held[1 : 1 + PACKET_BYTES], self._nonce)
            self._answered = True
        # C2 is never verified: its echo proves nothing that TCP has not, and several encoders send it wrong.
        if len(self._held) < 1 + 2 * PACKET_BYTES:
            return Progress(reply, done=False, rest=b"")
        return Progress(reply, done=True, rest=self._held[1 + 2 * PACKET_BYTES :])


def answer(c1: bytes, nonce: bytes) -> bytes:
    """S0 S1 S2 for a C1: in the digest form if C1 says a version and carries a digest, else in the simple form."""
    base = find_digest(c1, CLIENT_WORDS) if c1[4:8] != bytes(4) else None
    filler, rest = nonce[: PACKET_BYTES - 8], nonce[PACKET_BYTES - 8 : NONCE_BYTES]
    if base is None:
        return bytes((VERSION,)) + bytes(8) + filler + c1
    s1 = imprint(bytes(4) + SERVER_VERSION + filler, base, SERVER_WORDS)
    key = _hmac(SERVER_WORDS + SERVER_CONSTANT, digest_of(c1, base))
    return bytes((VERSION,)) + s1 + rest + _hmac(key, rest)


def find_digest(packet: bytes, words: bytes) -> int | None:
    """Return the base at which C1 or S1 carries a valid digest, or None."""
    for base in OFFSET_BASES:
        offset = _offset(packet, base)
        expected = _hmac(words, packet[:offset] + packet[offset + DIGEST_BYTES :])
        if hmac.compare_digest(expected, packet[offset : offset + DIGEST_BYTES]):
            return base
    return None


def digest_of(packet: bytes, base: int) -> bytes:
    """Return the 32 bytes that stand where the digest stands."""
    offset = _offset(packet, base)
    return packet[offset : offset + DIGEST_BYTES]


def imprint(packet: bytes, base: int, words: bytes) -> bytes:
    """Return the packet with its own digest written into it."""
    offset = _offset(packet, base)
    before, after = packet[:offset], packet[offset + DIGEST_BYTES :]
    return before + _hmac(words, before + after) + after


def _offset(packet: bytes, base: int) -> int:
    return sum(packet[base : base + 4]) % OFFSET_RANGE + base + 4


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()
