from __future__ import annotations

import contextlib
import errno
import os
import socket
import weakref
from array import array
from typing import TYPE_CHECKING

import pytest

from rsocket_server import limits, send_ring
from rsocket_server.group import Group, send_each
from rsocket_server.outbox import Outbox
from rsocket_server.send_ring import SendRing, open_ring
from tests.rsocket_server.ring_kernel import KERNELS, EmulatedKernel, ring_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=KERNELS)
def ring(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[SendRing]:
    opened = ring_of(request.param, monkeypatch)
    yield opened
    opened.close()


Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pairs() -> Iterator[list[Pair]]:
    made = [socket.socketpair() for _ in range(20)]
    for one, _ in made:
        one.setblocking(False)
    yield made
    for pair in made:
        for end in pair:
            end.close()


def files(pairs: list[Pair]) -> array[int]:
    return array("i", [one.fileno() for one, _ in pairs])


def read(end: socket.socket) -> bytes:
    data = b""
    end.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while more := end.recv(1 << 20):
            data += more
    return data


def fill(end: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        while end.send(bytes(1 << 16)):
            pass


def test_everybody_gets_the_same(ring: SendRing, pairs: list[Pair]) -> None:
    assert [ring.send(files(pairs), word) for word in (b"one ", b"two ", b"", b"three")] == [[]] * 4
    assert [read(other) for _, other in pairs] == [b"one two three"] * len(pairs)


@pytest.mark.parametrize("entries", [1, 4, 16, 32])
def test_of_more_than_it_holds_it_makes_several_calls(entries: int, ring: SendRing, pairs: list[Pair]) -> None:
    ring = SendRing(entries)
    words = [b"%d " % number for number in range(3 * entries)]
    for number, word in enumerate(words):
        some = pairs[: 1 + number % len(pairs)]
        assert ring.send(files(some), word) == []
    ring.close()

    for index, (_, other) in enumerate(pairs):
        assert read(other) == b"".join(word for number, word in enumerate(words) if number % len(pairs) >= index)


def test_its_count_goes_round(ring: SendRing, pairs: list[Pair]) -> None:
    # As if it had sent so much: the kernel's own heads and tails are words of 32 bits as well.
    assert ring.send(array("i"), b"nobody") == []
    for _ in range(2 * limits.ROUND_WATCHERS // len(pairs) + 1):
        assert ring.send(files(pairs), b"x") == []
    assert len(read(pairs[-1][1])) == 2 * limits.ROUND_WATCHERS // len(pairs) + 1


def test_its_count_begins_again_after_32_bits(pairs: list[Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = EmulatedKernel()
    monkeypatch.setattr(send_ring, "_call", kernel.call)
    ring = SendRing(16)
    ring._count = 2**32 - 24
    kernel.count_from(ring._number, ring._count)
    pairs[5][1].close()
    for _ in range(3):
        assert ring.send(files(pairs), b"x") == [(5, -1)]
    ring.close()

    assert ring._count == 36
    assert [read(other) for _, other in pairs[:5] + pairs[6:]] == [b"xxx"] * 19


def test_who_does_not_take_all_is_told(ring: SendRing, pairs: list[Pair]) -> None:
    much = bytes(limits.BATCH_BYTES_MAX)
    fill(pairs[3][0])
    pairs[5][1].close()
    gone = files(pairs)
    gone[7] = -1
    kept = pairs[9][0]
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    for _ in range(100):
        told = dict(ring.send(gone, much))
        for index in {*range(len(pairs))} - {3, 5, 7, 9}:
            assert read(pairs[index][1]) == much
        if told.get(9) == 0:
            break

    assert told == {3: 0, 5: -1, 7: -1, 9: 0}
    assert ring.usable
    # The next call is not disturbed by what was told before.
    assert ring.send(files(pairs[10:]), b"next") == []


def test_a_part_is_told_as_a_part(ring: SendRing) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as one:
        other, _ = listener.accept()
        with other:
            one.setblocking(False)
            much, sent = bytes(range(256)) * 250, 0
            while not (short := ring.send(array("i", [one.fileno()]), much)):
                sent += len(much)
            ((index, taken),) = short
            assert (index, 0 <= taken < len(much)) == (0, True)
            one.setblocking(True)
            one.shutdown(socket.SHUT_WR)
            received = b""
            while more := other.recv(1 << 20):
                received += more

    assert len(received) == sent + taken
    assert received == (much * (len(received) // len(much) + 1))[: len(received)]


class Someone:
    """A member with a real socket."""

    def __init__(self) -> None:
        self.outbox = Outbox(0)
        self.outbox.request(limits.CREDIT_UNBOUNDED)
        self.group: Group | None = None


def test_a_group_does_the_same_with_it_and_without(ring: SendRing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RING_SENDS_MIN", 3)
    told = []
    for each in (ring, None):
        sockets = [socket.socketpair() for _ in range(6)]
        members = [Someone() for _ in sockets]
        group = Group(1, 0, each)
        for member, (one, _) in zip(members, sockets, strict=True):
            one.setblocking(False)
            group.join(member, one)
        fill(sockets[1][0])
        sockets[2][1].close()
        left = group.send(b"1", 1)
        group.leave(members[0])  # Whoever leaves and comes is known the next time.
        newcomer, pair = Someone(), socket.socketpair()
        newcomer.outbox.keep_up(1)
        group.join(newcomer, pair[0])
        left += group.send(b"2", 2)
        group.leave(members[3])
        group.leave(members[4])
        left += group.send(b"3", 3)  # By send(): they are few.
        told.append(
            (
                [(members.index(member), sent) for member, sent in left],  # type: ignore[arg-type]
                [read(other) for index, (_, other) in enumerate(sockets) if index not in {1, 2}],
                read(pair[1]),
                group.cursor,
                len(group),
            )
        )
        for end in (*pair, *(end for ends in sockets for end in ends)):
            end.close()

    assert told[0] == told[1] == ([(1, 0), (2, -1)], [b"1", b"12", b"12", b"123"], b"23", 3, 2)


def test_what_is_too_long_goes_by_send(ring: SendRing) -> None:
    assert ring.takes(2 * limits.BATCH_BYTES_MAX)
    assert not ring.takes(2 * limits.BATCH_BYTES_MAX + 1)


@pytest.mark.parametrize("answer", [0, 19, OSError(errno.EBUSY, "busy")])
def test_who_it_does_not_know_of_is_cut_off_and_it_is_not_used_again(
    ring: SendRing, pairs: list[Pair], answer: int | OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(*_: int) -> int:
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setattr(send_ring, "_call", call)
    assert ring.send(files(pairs), b"lost") == [(index, -1) for index in range(len(pairs))]
    assert not ring.usable
    assert not ring.takes(1)
    assert ring.send(files(pairs[:2]), b"late") == [(0, 0), (1, 0)]
    ring.close()  # A second time does nothing.


def test_its_memory_is_given_back_with_it(ring: SendRing, pairs: list[Pair]) -> None:
    mappings = [weakref.ref(view.obj) for view in (ring._ring, ring._sockets)]
    assert ring.send(files(pairs), b"x") == []
    ring.close()

    assert [mapping() for mapping in mappings] == [None, None]
    assert ring.send(files(pairs), b"x") == [(index, 0) for index in range(len(pairs))]


def test_where_the_kernel_gives_none_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> int:
        raise PermissionError(errno.EPERM, "no")

    monkeypatch.setattr(send_ring, "_call", refuse)
    assert open_ring() is None


def test_one_that_does_not_send_is_given_back(ring: SendRing, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(SendRing, "send", lambda *_: [(0, -1)])
        patch.setattr(send_ring.os, "close", closed.append)
        assert open_ring() is None
    (number,) = closed
    os.close(number)


def test_a_ring_of_another_shape_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    number = os.open(os.devnull, os.O_RDONLY)
    monkeypatch.setattr(send_ring, "_call", lambda *_: number)  # All that it is told of it is zero.
    assert open_ring() is None
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(number)


def test_each_is_sent_to_in_turn(pairs: list[Pair]) -> None:
    fill(pairs[2][0])
    pairs[4][1].close()
    assert send_each([one for one, _ in pairs], b"word") == [(2, 0), (4, -1)]
    assert read(pairs[5][1]) == b"word"
