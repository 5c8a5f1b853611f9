"""Shell: the same bytes to many sockets in one system call, by Linux's io_uring where the kernel lets us have it.

A loop of send() costs Python a fifth more than C, and a ring saves that and some of C's own. Everything happens inside
the call: each send says MSG_DONTWAIT, so that none is under way when it returns, and nothing of ours is the kernel's
between two calls. Where there is none (other systems, old kernels, containers that forbid it) there is send().

The layout is that of <linux/io_uring.h>: a ring of requests (64 bytes each) whose tail is ours, and one twice as long
of answers (16 bytes each) whose head is ours. Both turn by as much at each call, so one count says where they are.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import socket
import sys
from array import array
from mmap import mmap
from struct import Struct
from typing import TYPE_CHECKING

from rsocket_server import limits

if TYPE_CHECKING:
    from collections.abc import Callable

# Calls have had one number on x86, ARM and RISC-V since 424.
_SETUP, _ENTER = 425, 426
_PARAMS = Struct("=7I12x10I10I")  # sizes and flags; where in the mapping what of the requests is, and of the answers
_REQUEST = Struct("=BBHiQQIIQ24x")
_SEND = 26
_ONE_MAPPING = 1  # Both rings in it: Linux 5.4.
_REQUESTS_AT = 0x1000_0000
_WORDS = 1 << 32
_DATA_BYTES = 2 * limits.BATCH_BYTES_MAX  # A batch and its headers; a longer line goes by send().
_PROBES = 16  # Each fills a socket that holds a few of them.


class SendRing:
    """One ring, for one thread.

    Attributes:
        usable: False once the kernel has not done what it was asked; then there is send().
    """

    def __init__(self, entries: int = limits.ROUND_WATCHERS) -> None:
        """Set the ring up, or raise OSError."""
        params = ctypes.create_string_buffer(_PARAMS.size)
        self._number = _call(_SETUP, entries, ctypes.addressof(params))
        self.usable = True
        try:
            self._map(*_PARAMS.unpack(params.raw))
        except BaseException:
            self.close()
            raise

    def _map(self, entries: int, answers: int, *more: int) -> None:
        features, requests_at, answers_at = more[3], more[5:15], more[15:]
        if not features & _ONE_MAPPING or answers % entries:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        ends = requests_at[6] + 4 * entries, answers_at[5] + 16 * answers
        self._ring = memoryview(mmap(self._number, max(ends) & ~3)).cast("I")
        requests = memoryview(mmap(self._number, 64 * entries, offset=_REQUESTS_AT))
        self._data = mmap(-1, _DATA_BYTES)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._data))
        # All that is the same each time is written once; what is not is the socket and the length.
        flags = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
        for slot in range(entries):
            _REQUEST.pack_into(requests, 64 * slot, _SEND, 0, 0, -1, 0, address, 0, flags, slot)
            self._ring[requests_at[6] // 4 + slot] = slot
        self._sockets, self._lengths = requests.cast("i")[1::16], requests.cast("I")[6::16]
        self._tail, self._answers_head, self._answers_tail = (
            at // 4 for at in (requests_at[1], answers_at[0], answers_at[1])
        )
        found = self._ring[answers_at[5] // 4 : answers_at[5] // 4 + 4 * answers]
        self._slots, self._sent = found[::4], found.cast("B").cast("i")[2::4]
        self._entries, self._answers, self._count = entries, answers, 0

    def takes(self, size: int) -> bool:
        """Whether so many bytes can be sent."""
        return self.usable and size <= _DATA_BYTES

    def send(self, files: array[int], data: bytes) -> list[tuple[int, int]]:
        """Send data to sockets by their file numbers; answer which, by index, did not take all of it but how much.

        -1 stands for one that is broken, or of which the kernel does not say.
        """
        self._data[: len(data)] = data
        short, begun = [], 0
        while begun < len(files):
            # Up to where the ring begins again.
            some = files[begun : begun + self._entries - self._count % self._entries]
            short += [(begun + index, sent) for index, sent in self._submit(some, len(data))]
            begun += len(some)
        return short

    def _submit(self, files: array[int], size: int) -> list[tuple[int, int]]:
        if not self.usable:
            return [(index, 0) for index in range(len(files))]
        count, slot, answer = len(files), self._count % self._entries, self._count % self._answers
        self._sockets[slot : slot + count] = files
        self._lengths[slot : slot + count] = array("I", [size]) * count
        self._count = self._ring[self._tail] = (self._count + count) % _WORDS
        try:
            done = _call(_ENTER, self._number, count, 0, 0, 0, 0)
        except OSError:
            done = 0
        if done != count or self._ring[self._answers_tail] != self._count:
            # What has been sent and what will be, nobody knows: whoever is cut off comes back and goes on.
            self.close()
            return [(index, -1) for index in range(count)]
        self._ring[self._answers_head] = self._count
        sent = self._sent[answer : answer + count]
        if sent == array("i", [size]) * count:
            return []
        slots = self._slots[answer : answer + count]
        return [(at - slot, _told(taken)) for at, taken in zip(slots, sent, strict=True) if taken != size]

    def close(self) -> None:
        """Give the ring back, and its memory with it; not the data, which a send that did not end may still read."""
        if self.usable:
            self.usable = False
            os.close(self._number)
            for view in ("_ring", "_sockets", "_lengths", "_slots", "_sent"):
                vars(self).pop(view, None)  # The mappings go with the last that looks at them.


def open_ring() -> SendRing | None:
    """Answer a ring that has shown that it does as it is told; None where there is none."""
    if sys.platform != "linux":
        return None
    try:
        ring = SendRing()
    except OSError:
        return None
    one, other = socket.socketpair()
    with one, other:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _DATA_BYTES)
        files, much = array("i", [one.fileno()]), bytes(_DATA_BYTES)
        # What is sent arrives, and a full socket is told of at once, not waited for.
        if (
            ring.send(files, b"?") == []
            and other.recv(2) == b"?"
            and any(ring.send(files, much) == [(0, 0)] for _ in range(_PROBES))
        ):
            return ring
    ring.close()
    return None


def _told(taken: int) -> int:
    """What send() would have answered; -1 where it would have raised anything but BlockingIOError."""
    if taken >= 0:
        return taken
    return 0 if taken == -errno.EAGAIN else -1


@functools.cache
def _syscall() -> Callable[..., int]:
    function = ctypes.CDLL(None, use_errno=True).syscall
    function.argtypes, function.restype = 7 * (ctypes.c_long,), ctypes.c_long
    return function


def _call(*words: int) -> int:
    """Make a system call of at most six words; raises OSError."""
    done = _syscall()(*words, *(7 - len(words)) * (0,))
    if done < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return done
