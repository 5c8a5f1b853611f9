"""Core: what a connection may cost us while it may not publish: bytes, messages, chunks."""

from __future__ import annotations

from typing import Final

from media.rtmp_ingest.errors import SessionError

# A stranger may send this much before it is allowed to publish (and between two publishings): about 2 KB are needed,
# and the first media that some encoders send without waiting.
UNPUBLISHED_BYTES_MAX: Final = 1024 * 1024
# The work that a stranger may make of its bytes: encoders send some ten messages, in twenty chunks. A command costs
# up to 0.2 ms to answer, a header of a chunk 3 us to read.
UNPUBLISHED_MESSAGES_MAX: Final = 512
UNPUBLISHED_CHUNKS_MAX: Final = 16_384


class TooManyUnpublishedBytes(SessionError):
    """More than UNPUBLISHED_BYTES_MAX from somebody who may not publish."""

    def __str__(self) -> str:
        return f"more than {UNPUBLISHED_BYTES_MAX} bytes without publishing"


class TooMuchUnpublishedWork(SessionError):
    """More messages or chunks than UNPUBLISHED_MESSAGES_MAX or _CHUNKS_MAX from somebody who may not publish."""

    def __str__(self) -> str:
        return f"more than {UNPUBLISHED_MESSAGES_MAX} messages or {UNPUBLISHED_CHUNKS_MAX} chunks without publishing"


class Allowance:
    """Spent while the connection may not publish; `renew` it when it may."""

    def __init__(self) -> None:
        self._bytes = 0
        self._messages = 0
        self._chunks_before = 0

    def renew(self, chunks_read: int) -> None:
        """Begin anew; `chunks_read` is the connection's count so far."""
        self._bytes = self._messages = 0
        self._chunks_before = chunks_read

    def spend_bytes(self, size: int) -> None:
        """Take note of bytes received.

        Raises:
            TooManyUnpublishedBytes: they are too many.
        """
        self._bytes += size
        if self._bytes > UNPUBLISHED_BYTES_MAX:
            raise TooManyUnpublishedBytes

    def spend_message(self) -> None:
        """Take note of one message to be answered.

        Raises:
            TooMuchUnpublishedWork: they are too many.
        """
        self._messages += 1
        if self._messages > UNPUBLISHED_MESSAGES_MAX:
            raise TooMuchUnpublishedWork

    def check_chunks(self, chunks_read: int) -> None:
        """Hold the connection's count of chunks against what is allowed.

        Raises:
            TooMuchUnpublishedWork: they are too many.
        """
        if chunks_read - self._chunks_before > UNPUBLISHED_CHUNKS_MAX:
            raise TooMuchUnpublishedWork
