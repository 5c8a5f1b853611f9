"""Core: the fragments of requests that are not whole yet, bounded by bytes over the whole connection.

Protocol.md, "Fragmentation and Reassembly": the first fragment is the request with FOLLOWS set, the others are
PAYLOADs of the same stream; metadata comes before data. What comes out is one frame without FOLLOWS.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import pack
from typing import TYPE_CHECKING

from rsocket_server import frames, limits
from rsocket_server.gate_errors import FrameMalformed

if TYPE_CHECKING:
    from rsocket_server.frames import FrameType


@dataclass(slots=True)
class Fragment:
    """One frame's content; also, in the making, what the fragments of one request come to.

    Attributes:
        kind: of the first fragment.
        flags: COMPLETE and NEXT as the fragments say.
        fixed: the bytes between header and metadata, reserved bits cleared (the initial credit).
        metadata: None where the METADATA flag was not set.
        data: may be empty.
    """

    kind: FrameType
    flags: int
    fixed: bytes
    metadata: bytearray | None
    data: bytearray

    @classmethod
    def read(cls, message: bytes, kind: FrameType, flags: int, fixed: int) -> Fragment:
        """Take a frame apart, `fixed` bytes after its header being its own.

        Raises:
            FrameMalformed: a length points beyond the end.
        """
        start = frames.HEADER_BYTES + fixed
        number = message[frames.HEADER_BYTES : start]
        if len(number) < fixed:
            raise FrameMalformed(kind.name)
        metadata = None
        if flags & frames.FLAG_METADATA:
            end = start + 3 + int.from_bytes(message[start : start + 3])
            # Metadata cut short would be taken for the whole, and the data for empty.
            if start + 3 > len(message) or end > len(message):
                raise FrameMalformed(kind.name)
            metadata = bytearray(message[start + 3 : end])
            start = end
        number = (int.from_bytes(number) & frames.STREAM_ID_MASK).to_bytes(fixed) if fixed else b""
        kept = flags & (frames.FLAG_COMPLETE | frames.FLAG_NEXT)
        return cls(kind, kept, number, metadata, bytearray(message[start:]))

    @property
    def length(self) -> int:
        """Bytes of metadata and data together."""
        return len(self.metadata or b"") + len(self.data)

    def join(self, other: Fragment) -> None:
        """Add the next fragment.

        Raises:
            FrameMalformed: metadata after data.
        """
        if other.metadata is not None:
            if self.data:
                raise FrameMalformed("fragment: metadata after data")
            self.metadata = (self.metadata or bytearray()) + other.metadata
        self.data += other.data
        # COMPLETE belongs to the last fragment, NEXT to any.
        self.flags = (self.flags & frames.FLAG_NEXT) | other.flags

    def frame(self, stream_id: int) -> bytes:
        """Write it as one frame."""
        flags = self.flags
        metadata = b""
        if self.metadata is not None:
            flags |= frames.FLAG_METADATA
            metadata = pack(">I", len(self.metadata))[1:] + self.metadata
        return frames.header(stream_id, self.kind, flags) + self.fixed + metadata + self.data


class Reassembly:
    """The unfinished requests of one connection, by stream id."""

    __slots__ = ("_parts", "bytes")

    def __init__(self) -> None:
        self._parts: dict[int, Fragment] = {}
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._parts)

    def __contains__(self, stream_id: int) -> bool:
        return stream_id in self._parts

    def add(self, stream_id: int, fragment: Fragment) -> bool:
        """Keep a fragment; False if the connection's fragments would then exceed REASSEMBLY_BYTES_MAX.

        Raises:
            FrameMalformed: it does not continue what is there.
        """
        if self.bytes + fragment.length > limits.REASSEMBLY_BYTES_MAX:
            return False
        part = self._parts.get(stream_id)
        if part is None:
            self._parts[stream_id] = fragment
        else:
            part.join(fragment)
        self.bytes += fragment.length
        return True

    def take(self, stream_id: int) -> tuple[FrameType, bytes]:
        """Answer the kind and the whole frame, and forget it."""
        part = self._parts.pop(stream_id)
        self.bytes -= part.length
        return part.kind, part.frame(stream_id)

    def drop(self, stream_id: int) -> bool:
        """Forget what there is; False if there is nothing."""
        part = self._parts.pop(stream_id, None)
        if part is None:
            return False
        self.bytes -= part.length
        return True

    def clear(self) -> None:
        """Forget everything."""
        self._parts.clear()
        self.bytes = 0
