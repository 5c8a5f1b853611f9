"""Core: the families of what can go wrong at the RTMP port; leaves stand beside the rule they guard.

RtmpError                  the peer's fault: the connection is closed, and only that connection
HandshakeError           handshake.py
ChunkError               chunks.py
AmfError                 amf0.py, amf3.py
MessageError             messages.py
SessionError             session.py (out of order, too much, too late)
Refused                    our decision about a publisher, in words that the encoder shows
Misuse                     our own fault: a core was driven wrongly
"""

from __future__ import annotations


class RtmpError(Exception):
    """The peer broke a rule. Never carries a stream key, an application name or any other text of the peer."""


class HandshakeError(RtmpError):
    """The first 3073 bytes were not an RTMP handshake."""


class ChunkError(RtmpError):
    """The chunk stream cannot be read any further."""


class AmfError(RtmpError):
    """A value was not AMF, or more of it than we take."""


class MessageError(RtmpError):
    """A message's payload was too short or too long for its type."""


class SessionError(RtmpError):
    """The conversation went wrong: out of order, too much, or too late."""


class Refused(Exception):
    """A publisher may not stream, or may not any longer.

    `code` is a word of RTMP (`NetStream.Publish.BadName`, `.Denied`, `.Rejected`: OBS stops and says "invalid stream
    key"; `NetStream.Failed`: encoders try again later). `description` is shown to the streamer, so it holds no key.
    """

    def __init__(self, code: str, description: str) -> None:
        super().__init__(code, description)
        self.code = code
        self.description = description

    def __str__(self) -> str:
        return f"{self.code}: {self.description}"


class Misuse(Exception):
    """A core was asked for something that its state does not allow: a bug of the caller."""
