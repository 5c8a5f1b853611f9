"""Feed bytes to a reader in three ways: whole, byte by byte, and with a tail that must survive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from media.rtmp_ingest.chunks import ChunkReader

if TYPE_CHECKING:
    from random import Random

    from media.rtmp_ingest.chunks import Message


def whole(data: bytes) -> list[bytes]:
    return [data]


def byte_by_byte(data: bytes) -> list[bytes]:
    """Split into single bytes; the very long into pieces of some bytes, to be quick."""
    size = 1 + len(data) // 20_000
    return [data[at : at + size] for at in range(0, len(data), size)]


def randomly(data: bytes, random: Random) -> list[bytes]:
    """Split at random places, small pieces and large ones."""
    pieces, at = [], 0
    while at < len(data):
        size = random.choice((1, 2, 3, 7, 18, 129, 1460, 4097, 65536))
        pieces.append(data[at : at + size])
        at += size
    return pieces


def messages_of(reader: ChunkReader, pieces: list[bytes]) -> list[Message]:
    """Give a chunk reader the pieces, one input and drain at a time."""
    messages = []
    for piece in pieces:
        reader.receive_data(piece)
        while (message := reader.next_message()) is not None:
            messages.append(message)
    return messages


def read_chunks(data: bytes) -> list[Message]:
    """Read `data` in all three ways, hold them to one answer, and return it."""
    expected = messages_of(ChunkReader(), whole(data))

    assert expected == messages_of(ChunkReader(), byte_by_byte(data))

    # A tail: the same bytes again behind themselves, cut anywhere, must not change what came before.
    reader = ChunkReader()
    for cut in (1, len(data) // 2):
        found = messages_of(ChunkReader(), [data + data[:cut]])

        assert expected == found[: len(expected)]

    # Not yet: the last message needs the last byte.
    if expected:
        early = messages_of(reader, [data[:-1]])

        assert len(early) < len(expected)
        assert expected == early + messages_of(reader, [data[-1:]])
    return expected
