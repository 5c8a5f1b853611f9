"""Kernels under a SendRing: this machine's own, where it gives a ring, and an emulated one that every machine has."""

from __future__ import annotations

import ctypes
import errno
import os
from mmap import mmap
from struct import Struct
from typing import TYPE_CHECKING

from rsocket_server import send_ring
from rsocket_server.send_ring import SendRing, open_ring

if TYPE_CHECKING:
    import pytest

# <linux/io_uring.h>: the fields of io_uring_params, io_uring_sqe and io_uring_cqe that are looked at here.
_PARAMS = Struct("=II12xI16x 4I8xI12x 4I4xI16x")
_REQUEST = Struct("=BBHiQQIIQ24x")
_ANSWER = Struct("=QiI")
_WORD = Struct("=I")
_SETUP, _ENTER, _OP_SEND, _FEAT_SINGLE_MMAP, _OFF_SQES = 425, 426, 26, 1, 0x1000_0000
# Where in the mapping what is; the kernel's own places are others.
_REQUESTS_HEAD, _REQUESTS_TAIL, _ANSWERS_HEAD, _ANSWERS_TAIL, _ANSWERS = 0, 4, 8, 12, 64

_libc = ctypes.CDLL(None, use_errno=True)
_libc.send.argtypes = ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
_libc.send.restype = ctypes.c_ssize_t


class _Rings:
    """The two rings of one file, as the kernel sees them."""

    def __init__(self, wanted: int) -> None:
        self.entries = 1 << (wanted - 1).bit_length()
        self.answers = 2 * self.entries
        self.indices_at = _ANSWERS + _ANSWER.size * self.answers
        self.number = os.memfd_create("ring")
        os.ftruncate(self.number, _OFF_SQES + _REQUEST.size * self.entries)
        self._ring = mmap(self.number, self.indices_at + 4 * self.entries)
        self._requests = mmap(self.number, _REQUEST.size * self.entries, offset=_OFF_SQES)

    def describe(self) -> bytes:
        masks = self.entries - 1, self.entries, self.answers - 1, self.answers
        requests = _REQUESTS_HEAD, _REQUESTS_TAIL, *masks[:2], self.indices_at
        answers = _ANSWERS_HEAD, _ANSWERS_TAIL, *masks[2:], _ANSWERS
        return _PARAMS.pack(self.entries, self.answers, _FEAT_SINGLE_MMAP, *requests, *answers)

    def count_from(self, count: int) -> None:
        for at in (_REQUESTS_HEAD, _REQUESTS_TAIL, _ANSWERS_HEAD, _ANSWERS_TAIL):
            _WORD.pack_into(self._ring, at, count)

    def enter(self, count: int) -> int:
        head = self._word(_REQUESTS_HEAD)
        count = min(count, (self._word(_REQUESTS_TAIL) - head) % 2**32)
        for turn in range(head, head + count):
            self._answer(*self._do(self._word(self.indices_at + 4 * (turn % self.entries))))
        _WORD.pack_into(self._ring, _REQUESTS_HEAD, (head + count) % 2**32)
        return count

    def _word(self, at: int) -> int:
        (word,) = _WORD.unpack_from(self._ring, at)
        return int(word)

    def _do(self, slot: int) -> tuple[int, int]:
        operation, _, _, file, _, address, size, flags, told = _REQUEST.unpack_from(
            self._requests, _REQUEST.size * slot
        )
        if operation != _OP_SEND:
            return told, -errno.EINVAL
        sent = _libc.send(file, address, size, flags)
        return told, sent if sent >= 0 else -ctypes.get_errno()

    def _answer(self, told: int, result: int) -> None:
        tail = self._word(_ANSWERS_TAIL)
        assert (tail - self._word(_ANSWERS_HEAD)) % 2**32 < self.answers, "an answer would be lost"
        _ANSWER.pack_into(self._ring, _ANSWERS + _ANSWER.size * (tail % self.answers), told, result, 0)
        _WORD.pack_into(self._ring, _ANSWERS_TAIL, (tail + 1) % 2**32)


class EmulatedKernel:
    """Answers the two system calls of a ring: the memory is a file's, and each request is a send()."""

    def __init__(self) -> None:
        self._rings: dict[int, _Rings] = {}

    def count_from(self, number: int, count: int) -> None:
        """Let a ring be one that has sent so much."""
        self._rings[number].count_from(count)

    def call(self, name: int, *words: int) -> int:
        if name == _SETUP:
            entries, params = words
            rings = _Rings(entries)
            described = rings.describe()
            ctypes.memmove(params, described, len(described))
            self._rings[rings.number] = rings
            return rings.number
        assert name == _ENTER, name
        number, count, *rest = words
        assert rest == [0] * 4, rest
        return self._rings[number].enter(count)


def _kernels() -> list[str]:
    """Name those that there are here: that this machine gives none is no reason to try less."""
    ring = open_ring()
    if ring is None:
        return ["emulated"]
    ring.close()
    return ["emulated", "kernel"]


KERNELS = _kernels()


def ring_of(kernel: str, monkeypatch: pytest.MonkeyPatch) -> SendRing:
    """Open a ring of one of KERNELS."""
    if kernel == "emulated":
        monkeypatch.setattr(send_ring, "_call", EmulatedKernel().call)
    ring = open_ring()
    assert ring is not None
    return ring
