from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING, Any

import pytest

from rsocket_server import frames, limits
from rsocket_server.doors import Door
from rsocket_server.room import Room, Seat
from rsocket_server.viewer_stream import Fanout, Viewer
from rsocket_server.watch import Watch, Wishes
from tests.rsocket_server.ring_kernel import KERNELS, ring_of
from tests.rsocket_server.script import CHANNEL, PAYLOAD, STREAM, UNBOUNDED, cancel, request, request_n, seen, setup

if TYPE_CHECKING:
    from rsocket_server.carrier import Sender


class Reader:
    """A subscriber that is not a socket's."""

    def __init__(self) -> None:
        self.items: list[bytes] = []
        self.completed = 0
        self.subscription: Any = None

    def on_subscribe(self, subscription: Any) -> None:
        self.subscription = subscription

    def on_next(self, value: Any, is_complete: bool = False) -> None:
        self.items.append(value.data)

    def on_complete(self) -> None:
        self.completed += 1


class Wire:
    """A connection of which only the stream's side matters: what was written, and whether it is full."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.streams: list[Any] = []

    def attach(self, stream: Any) -> Wire:
        self.streams.append(stream)
        return self

    def write(self, messages: bytes) -> None:
        self.written.append(messages)

    def direct(self) -> Sender | None:
        return self

    def fileno(self) -> int:
        return -1

    def send(self, data: bytes, /) -> int:
        self.written.append(data)
        return len(data)

    def detach(self, stream: Any) -> None:
        self.streams.remove(stream)


class Kernel(Wire):
    """A socket as the kernel and the event loop's transport have it: it takes a part, the rest waits its turn."""

    def __init__(self, die: random.Random) -> None:
        super().__init__()
        self.die = die
        self.taken = b""
        self.waiting = b""
        self.paused = False
        self.broken = False

    def direct(self) -> Sender | None:
        return None if self.waiting or self.broken else self

    def send(self, data: bytes, /) -> int:
        assert not self.waiting, "sent past what waits"
        if self.broken:
            raise ConnectionResetError
        match self.die.randrange(8):
            case 0:
                raise BlockingIOError
            case 1:
                data = data[: self.die.randrange(len(data))]
        self.taken += data
        return len(data)

    def write(self, messages: bytes) -> None:
        if self.broken:
            return
        sent = 0
        if not self.waiting:
            with contextlib.suppress(BlockingIOError):
                sent = self.send(messages)
        if sent < len(messages):
            self.hold(messages[sent:])

    def hold(self, rest: bytes) -> None:
        for stream in list(self.streams):
            stream.clog()
        self.waiting += rest
        if len(self.waiting) > 100 and not self.paused:
            self.paused = True
            for stream in list(self.streams):
                stream.pause()

    def drain(self) -> None:
        self.taken, self.waiting = self.taken + self.waiting, b""
        if self.paused:
            self.paused = False
            for stream in list(self.streams):
                stream.resume()

    def abort(self) -> None:
        self.broken = True
        for stream in list(self.streams):
            stream.clog()


class WireReader(Reader):
    def __init__(self, wire: Wire, stream_id: int = 1) -> None:
        super().__init__()
        self.socket = wire
        self.stream_id = stream_id


def watch(fanout: Fanout, reader: Any, *, since: int | None = 0, n: int = 0, key: Any = None) -> Viewer:
    Watch(fanout, Seat(object() if key is None else key), Wishes(since=since)).subscribe(reader)
    viewer: Viewer = reader.subscription
    viewer.request(n)
    return viewer


def items_by_stream(messages: bytes) -> dict[int, list[bytes]]:
    """Read whole short WebSocket messages back; answer each stream's items."""
    found: dict[int, list[bytes]] = {}
    while messages:
        end = 2 + messages[1]
        frame = seen(messages[2:end])
        found.setdefault(frame.stream_id, []).append(frame.body)
        messages = messages[end:]
    return found


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def settled(fanout: Fanout) -> None:
    async with asyncio.timeout(60):
        while fanout._timer is not None or fanout._round is not None:
            await asyncio.sleep(0)


# --- one viewer -------------------------------------------------------------------------------------------------------


async def test_exactly_what_was_requested_is_delivered(fanout: Fanout, tell: Any) -> None:
    reader = Reader()
    viewer = watch(fanout, reader, n=3)
    tell(b"1", b"2")
    await settled(fanout)
    tell(b"3", b"4", b"5")
    await settled(fanout)
    assert [b"1", b"2", b"3"] == reader.items
    viewer.request(1)
    assert [b"1", b"2", b"3", b"4"] == reader.items
    viewer.request(0)
    viewer.request(-5)
    await settled(fanout)
    assert [b"1", b"2", b"3", b"4"] == reader.items


async def test_who_has_no_credit_is_not_walked(fanout: Fanout, tell: Any) -> None:
    viewers = [watch(fanout, Reader(), n=n) for n in (0, 1, UNBOUNDED)]
    assert fanout.ready == 2
    tell(b"1")
    await settled(fanout)
    assert fanout.ready == 1
    viewers[0].request(UNBOUNDED)
    assert fanout.ready == 2


async def test_a_viewer_that_left_gets_nothing_more(fanout: Fanout, tell: Any) -> None:
    reader = Reader()
    viewer = watch(fanout, reader, n=UNBOUNDED)
    tell(b"1")
    viewer.cancel()
    viewer.cancel()
    await turns()
    viewer.request(5)
    viewer.complete()

    assert (reader.items, reader.completed) == ([], 0)
    assert (len(fanout.viewers), fanout.room.viewers, fanout.ready) == (0, 0, 0)


async def test_who_asks_and_leaves_while_it_subscribes_is_nowhere(fanout: Fanout, tell: Any) -> None:
    class Hasty(WireReader):
        def on_subscribe(self, subscription: Any) -> None:
            subscription.request(UNBOUNDED)
            subscription.cancel()

    wire = Wire()
    Watch(fanout, Seat(object()), Wishes(history=0)).subscribe(Hasty(wire))
    tell(b"1")
    await settled(fanout)

    assert (wire.written, fanout.ready, len(fanout.viewers), fanout.room.viewers) == ([], 0, 0, 0)


async def test_a_slow_viewer_gets_one_gap_and_goes_on(fanout: Fanout, tell: Any) -> None:
    reader = Reader()
    viewer = watch(fanout, reader, n=1)
    tell(*[b"%d" % number for number in range(limits.LOG_EVENTS_MAX + 10)])
    await settled(fanout)
    # The first went out when the log had already moved on.
    assert [b"gap 10 1-10"] == reader.items
    viewer.request(2)
    assert [b"gap 10 1-10", b"10", b"11"] == reader.items


async def test_a_long_backlog_goes_out_in_batches(fanout: Fanout) -> None:
    wire = Wire()
    for number in range(100):
        fanout.room.add(number + 1, b"x" * 1000)
    viewer = watch(fanout, WireReader(wire))
    viewer.request(UNBOUNDED)

    assert len(wire.written) == 100 * 1000 // limits.BATCH_BYTES_MAX + 1
    assert b"".join(wire.written) == frames.items(1, [b"x" * 1000] * 100)


async def test_a_full_socket_stops_it_and_a_drained_one_lets_it_go_on(fanout: Fanout, tell: Any) -> None:
    wire = Wire()
    viewer = watch(fanout, WireReader(wire), n=UNBOUNDED)
    viewer.pause()
    viewer.pause()
    tell(b"1")
    await settled(fanout)
    viewer.request(5)
    viewer.whisper(b"psst")
    assert (wire.written, fanout.ready) == ([], 0)
    viewer.resume()

    assert b"".join(wire.written) == frames.items(1, [b"psst", b"1"])
    assert fanout.ready == 1


async def test_a_socket_that_fills_in_the_middle_of_a_backlog(fanout: Fanout) -> None:
    class Narrow(Wire):
        def write(self, messages: bytes) -> None:
            super().write(messages)
            self.streams[0].pause()

    for number in range(100):
        fanout.room.add(number + 1, b"x" * 1000)
    wire = Narrow()
    viewer = watch(fanout, WireReader(wire), n=UNBOUNDED)
    assert len(wire.written) == 1
    viewer.resume()
    assert len(wire.written) == 2


async def test_the_end_of_a_room_completes_every_watch(fanout: Fanout, tell: Any) -> None:
    readers = [Reader(), WireReader(Wire())]
    for reader in readers:
        watch(fanout, reader, n=1)
    fanout.complete()

    assert [1, 1] == [reader.completed for reader in readers]
    assert readers[1].socket.streams == []
    assert len(fanout.viewers) == 0


# --- everyone ---------------------------------------------------------------------------------------------------------


async def test_events_of_one_turn_are_encoded_once_and_joined_in_one_write(fanout: Fanout, tell: Any) -> None:
    wires = [Wire() for _ in range(10)]
    for number, wire in enumerate(wires):
        watch(fanout, WireReader(wire, 1 if number < 5 else 3), n=UNBOUNDED)
    tell(b"1")
    tell(b"2")
    await settled(fanout)

    assert [[frames.items(1, [b"1", b"2"])]] * 5 == [wire.written for wire in wires[:5]]
    assert [[frames.items(3, [b"1", b"2"])]] * 5 == [wire.written for wire in wires[5:]]
    assert all(wire.written[0] is wires[0].written[0] for wire in wires[:5])


async def test_a_round_keeps_few_encodings_however_many_stream_ids_there_are(fanout: Fanout, tell: Any) -> None:
    kept: list[int] = []

    class Looking(Wire):
        def send(self, data: bytes, /) -> int:
            kept.append(len(fanout._encoded))
            return super().send(data)

    wires = [Looking() for _ in range(limits.ENCODINGS_MAX + 5)]
    for number, wire in enumerate(wires):
        watch(fanout, WireReader(wire, 2 * number + 1), n=UNBOUNDED)
    tell(b"1")
    await settled(fanout)

    assert [[frames.items(2 * number + 1, [b"1"])] for number in range(len(wires))] == [wire.written for wire in wires]
    assert max(kept) == limits.ENCODINGS_MAX


async def test_everyone_hears_everything_in_one_order_whatever_their_pace(tell: Any, fanout: Fanout) -> None:
    readers = [Reader() for _ in range(20)]
    viewers = [watch(fanout, reader, n=number % 4) for number, reader in enumerate(readers)]
    for number in range(300):
        tell(b"%d" % number)
        if number % 3 == 0:
            await asyncio.sleep(0)
        viewers[number % 20].request(number % 7)
    await settled(fanout)
    for viewer in viewers:
        viewer.request(1000)
    await settled(fanout)

    for reader in readers:
        assert [b"%d" % number for number in range(300)] == reader.items


def test_every_byte_goes_out_once_and_in_order_whatever_a_socket_takes(tell: Any, fanout: Fanout) -> None:
    """Also with several streams on one socket, some credit, whispers between, and people who come and go."""
    die = random.Random(7)

    async def play() -> None:
        wires = [Kernel(die) for _ in range(12)]
        readers = [WireReader(wire, stream_id) for wire in wires for stream_id in (1, 3)]
        granted = [die.choice([3, 40, UNBOUNDED]) for _ in readers]
        viewers = [watch(fanout, reader, n=n) for reader, n in zip(readers, granted, strict=True)]
        notes = 0
        for number in range(300):
            tell(b"%d" % number)
            die.choice(wires).drain()
            one = die.randrange(len(viewers))
            match die.randrange(6):
                case 0:
                    viewers[one].request(5)
                    granted[one] += 5
                case 1:
                    fanout.room.add(fanout.room.log.head + 1, b"more")
                case 2:
                    viewers[one].flush()
                case 3:
                    fanout.note(b"note")
                    notes += 1
                case _:
                    await asyncio.sleep(0)
        for viewer in viewers:
            viewer.request(1000)
        for _ in range(20):
            for wire in wires:
                wire.drain()
            await settled(fanout)
        said = fanout.room.log.after(0, fanout.room.log.head)
        for wire in wires:
            wire.drain()
            heard = items_by_stream(wire.taken)
            for items in heard.values():
                assert said == [item for item in items if item != b"note"]
                assert len(items) - len(said) <= notes
            assert set(heard) == {1, 3}
            assert fanout.ready == len(viewers)

    asyncio.run(play())


async def test_never_more_than_requested_by_groups_either(tell: Any, fanout: Fanout) -> None:
    wires = [Wire() for _ in range(30)]
    granted = [number % 7 for number in range(30)]
    viewers = [watch(fanout, WireReader(wire), n=n) for wire, n in zip(wires, granted, strict=True)]
    for number in range(60):
        tell(b"%d" % number)
        if number % 4:
            await settled(fanout)
        viewers[number % 30].request(number % 5)
        granted[number % 30] += number % 5
    await settled(fanout)

    for wire, credit in zip(wires, granted, strict=True):
        assert items_by_stream(b"".join(wire.written)).get(1, []) == [b"%d" % number for number in range(credit)]


async def test_a_socket_that_breaks_in_a_round_is_cut_and_nobody_else_notices(fanout: Fanout, tell: Any) -> None:
    class Broken(Kernel):
        def send(self, data: bytes) -> int:
            raise ConnectionResetError

    wires: list[Any] = [Wire(), Broken(random.Random(2)), Wire()]
    for wire in wires:
        watch(fanout, WireReader(wire), n=UNBOUNDED)
    for number in range(2):
        tell(b"%d" % number)
        await settled(fanout)

    assert [[frames.items(1, [b"0"]), frames.items(1, [b"1"])]] * 2 == [wires[0].written, wires[2].written]
    assert (wires[1].broken, wires[1].taken) == (True, b"")


async def test_a_viewer_that_fails_is_let_go_and_nobody_else_waits_for_it(fanout: Fanout, tell: Any) -> None:
    class Failing(Reader):
        def on_next(self, value: Any, is_complete: bool = False) -> None:
            raise ValueError

    failing = Failing()
    readers = [Reader(), failing, Reader()]
    for reader in readers:
        watch(fanout, reader, n=UNBOUNDED)
    for number in range(2):
        tell(b"%d" % number)
        await settled(fanout)
    assert failing.subscription not in fanout.viewers
    late = Failing()
    readers.append(late)
    watch(fanout, late, since=2, n=UNBOUNDED)
    last = Reader()
    watch(fanout, last, n=UNBOUNDED)
    fanout.note(b"count")

    assert [reader.items for reader in (readers[0], readers[2])] == [[b"0", b"1", b"count"]] * 2
    assert last.items == [b"0", b"1", b"count"]
    assert late.subscription not in fanout.viewers


async def test_a_socket_whose_rest_cannot_be_kept_is_cut_and_nobody_else_waits_for_it(
    fanout: Fanout, tell: Any
) -> None:
    class Full(Kernel):
        full = True

        def send(self, data: bytes) -> int:
            if self.full:
                raise BlockingIOError
            self.taken += data
            return len(data)

    class Failing(Full):
        def hold(self, rest: bytes) -> None:
            raise ValueError

    wires: list[Any] = [Full(random.Random(1)), Failing(random.Random(1)), Full(random.Random(1))]
    for wire in wires:
        watch(fanout, WireReader(wire), n=UNBOUNDED)
    for number in range(2):
        tell(b"%d" % number)
        await settled(fanout)
        for wire in wires:
            wire.full = False
            wire.drain()

    assert [wire.taken for wire in wires] == [frames.items(1, [b"0"]) + frames.items(1, [b"1"]), b"", wires[0].taken]
    assert [wire.broken for wire in wires] == [False, True, False]


async def test_a_fault_of_our_own_ends_its_round_and_not_the_room(fanout: Fanout, tell: Any, monkeypatch: Any) -> None:
    told: list[Any] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _loop, context: told.append(context["exception"]))
    wire = Wire()
    watch(fanout, WireReader(wire), n=UNBOUNDED)
    with monkeypatch.context() as broken:
        broken.setattr(fanout, "_serve", None)
        tell(b"1")
        await settled(fanout)
    tell(b"2")
    await settled(fanout)
    loop.set_exception_handler(before)

    assert [TypeError] == [type(each) for each in told]
    assert wire.written == [frames.items(1, [b"1", b"2"])]


async def test_groups_that_come_to_the_same_place_become_one(fanout: Fanout, tell: Any) -> None:
    wires = [Wire() for _ in range(40)]
    for number, wire in enumerate(wires):
        watch(fanout, WireReader(wire), n=UNBOUNDED)
        fanout.room.add(number + 1, b"%d" % number)  # Told only later: each begins at another place.
    assert len(fanout._groups) == 40
    fanout.wake()
    await settled(fanout)

    assert len(fanout._groups) == 1
    assert all(items_by_stream(b"".join(wire.written)) == {1: [b"%d" % n for n in range(40)]} for wire in wires)


async def test_a_full_group_does_not_keep_the_small_ones_apart(fanout: Fanout, monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "ROUND_WATCHERS", 4)
    wires = [Wire() for _ in range(40)]
    for number, wire in enumerate(wires):
        watch(fanout, WireReader(wire), n=UNBOUNDED)
        fanout.room.add(number + 1, b"%d" % number)
    fanout.wake()
    await settled(fanout)

    assert [len(group) for group in fanout._groups] == [4] * 10
    assert all(items_by_stream(b"".join(wire.written)) == {1: [b"%d" % n for n in range(40)]} for wire in wires)


async def test_a_group_that_the_log_has_left_behind_gets_its_gap(fanout: Fanout, tell: Any) -> None:
    wire = Wire()
    watch(fanout, WireReader(wire), n=UNBOUNDED)
    tell(*[b"%d" % number for number in range(limits.LOG_EVENTS_MAX + 3)])
    await settled(fanout)

    assert items_by_stream(b"".join(wire.written))[1][:2] == [b"gap 3 1-3", b"3"]


async def test_what_is_said_in_the_middle_of_a_round_reaches_whoever_is_later_in_it(fanout: Fanout, tell: Any) -> None:
    wires = [Wire() for _ in range(limits.ROUND_WATCHERS + 1)]
    for wire in wires:
        watch(fanout, WireReader(wire), n=UNBOUNDED)
    tell(b"1")
    async with asyncio.timeout(60):
        while not wires[0].written:
            await asyncio.sleep(0)
    tell(b"2")
    await settled(fanout)

    assert wires[0].written == [frames.items(1, [b"1"]), frames.items(1, [b"2"])]
    assert wires[-1].written == [frames.items(1, [b"1", b"2"])]


async def test_a_round_of_many_lets_the_loop_turn_between(fanout: Fanout, tell: Any) -> None:
    readers = [Reader() for _ in range(limits.ROUND_WATCHERS * 2 + 1)]
    viewers = [watch(fanout, reader, n=UNBOUNDED) for reader in readers]
    tell(b"1")
    await asyncio.sleep(0)
    served = sum(bool(reader.items) for reader in readers)
    assert served == limits.ROUND_WATCHERS
    # Meanwhile one leaves, one joins, and more is said.
    viewers[-1].cancel()
    late = Reader()
    watch(fanout, late, n=UNBOUNDED)
    tell(b"2")
    await settled(fanout)

    assert all([b"1", b"2"] == reader.items for reader in readers[:-1])
    assert readers[-1].items == []
    assert [b"1", b"2"] == late.items


async def test_rounds_clock_themselves(fanout: Fanout, tell: Any) -> None:
    watch(fanout, Reader(), n=UNBOUNDED)
    tell(b"1")
    assert fanout._timer is not None
    await settled(fanout)
    # The next round waits for as long as the last one has earned it.
    fanout._next_at = asyncio.get_running_loop().time() + 3600.0
    tell(b"2")
    assert isinstance(fanout._timer, asyncio.TimerHandle)
    assert fanout._timer.when() == pytest.approx(fanout._next_at, abs=60.0)
    fanout._timer.cancel()


async def test_nobody_ready_means_no_round(fanout: Fanout, tell: Any) -> None:
    tell(b"1", b"2")
    assert fanout._timer is None
    reader = Reader()
    watch(fanout, reader, n=UNBOUNDED, since=0)
    assert [b"1", b"2"] == reader.items
    tell(b"3")
    await settled(fanout)
    assert [b"1", b"2", b"3"] == reader.items


async def test_a_round_whose_events_were_taken_by_requests_has_nothing_to_do(fanout: Fanout, tell: Any) -> None:
    reader = Reader()
    viewer = watch(fanout, reader, n=UNBOUNDED)
    tell(b"1")
    viewer.flush()
    await settled(fanout)

    assert [b"1"] == reader.items


async def test_numbers_that_begin_anew_begin_anew_for_everyone(fanout: Fanout, tell: Any) -> None:
    readers = [Reader() for _ in range(limits.ROUND_WATCHERS + 1)]
    for reader in readers:
        watch(fanout, reader, n=UNBOUNDED)
    tell(*[b"%d" % number for number in range(50)])
    await settled(fanout)
    tell(b"50")
    async with asyncio.timeout(60):
        while fanout._round is None:  # Into the middle of a round.
            await asyncio.sleep(0)
    fanout.room.refill(2, [(1, b"new", False), (2, b"newer", False)])
    fanout.restart()
    await settled(fanout)

    assert all(reader.items[-2:] == [b"new", b"newer"] for reader in readers)
    tell(b"newest")
    await settled(fanout)
    assert all(reader.items[-3:] == [b"new", b"newer", b"newest"] for reader in readers)


async def test_who_asks_is_told_of_which_numbers_they_are_and_of_which_they_become(fanout: Fanout) -> None:
    fanout.room.refill(1, [(1, b"old", False)], "first")
    asks, asks_not = Reader(), Reader()
    for reader, epoch in ((asks, ""), (asks_not, None)):
        Watch(fanout, Seat(object()), Wishes(history=5, greeting=b"hello", epoch=epoch)).subscribe(reader)
        reader.subscription.request(UNBOUNDED)
    fanout.room.refill(1, [(1, b"new", False)], "second")
    fanout.restart()

    assert asks.items == [b"first", b"hello", b"old", b"second", b"new"]
    assert asks_not.items == [b"hello", b"old", b"new"]


async def test_the_slow_get_what_nobody_may_miss_of_the_epoch_that_is_over(fanout: Fanout, tell: Any) -> None:
    fanout.room.refill(0, [], "first")
    fast, slow = Reader(), Reader()
    for reader, n in ((fast, UNBOUNDED), (slow, 2)):
        Watch(fanout, Seat(object()), Wishes(history=0, epoch="")).subscribe(reader)
        reader.subscription.request(n)
    for seq in range(1, limits.KEPT_EVENTS_MAX + 3):
        fanout.room.add(seq, b"gift %d" % seq, kept=True)
    fanout.room.add(limits.KEPT_EVENTS_MAX + 3, b"line")
    fanout.wake()
    await settled(fanout)
    assert slow.items == [b"first", b"gift 1"]
    before = len(fast.items)
    fanout.room.refill(1, [(1, b"new", False)], "second")
    fanout.restart()
    slow.subscription.request(UNBOUNDED)

    assert fast.items[before:] == [b"second", b"new"]
    gifts = [b"gift %d" % seq for seq in range(3, limits.KEPT_EVENTS_MAX + 3)]
    assert slow.items[2:] == [*gifts, b"second", b"new"]


async def test_notes_pass_and_only_the_latest_is_kept(fanout: Fanout, tell: Any) -> None:
    fast, slow = Reader(), Reader()
    watch(fanout, fast, n=UNBOUNDED)
    viewer = watch(fanout, slow)
    for count in (b"1 viewer", b"2 viewers"):
        fanout.note(count)
    viewer.request(5)
    late = Reader()
    watch(fanout, late, n=5)

    assert [b"1 viewer", b"2 viewers"] == fast.items
    assert [b"2 viewers"] == slow.items
    assert [b"2 viewers"] == late.items


async def test_a_note_goes_to_everyone_level_at_once_and_after_the_log(fanout: Fanout, tell: Any) -> None:
    wires = [Wire() for _ in range(6)]
    for wire, n in zip(wires, (UNBOUNDED, UNBOUNDED, 1, 2, 3, 0), strict=True):
        watch(fanout, WireReader(wire), n=n)
    tell(b"1")
    fanout.note(b"n")  # Before the round.
    assert [items_by_stream(b"".join(wire.written)).get(1, []) for wire in wires] == [
        *([[b"1", b"n"]] * 2),
        [b"1"],
        *([[b"1", b"n"]] * 2),
        [],
    ]
    tell(b"2")
    await settled(fanout)
    # Nobody has more than was requested.
    assert [[b"1"], [b"1", b"n"]] == [items_by_stream(b"".join(wire.written))[1] for wire in wires[2:4]]
    for viewer in fanout.viewers:
        viewer.request(5)
    await settled(fanout)

    assert [items_by_stream(b"".join(wire.written))[1] for wire in wires] == [
        *([[b"1", b"n", b"2"]] * 2),
        [b"1", b"2", b"n"],
        *([[b"1", b"n", b"2"]] * 2),
        [b"1", b"2", b"n"],
    ]


async def test_members_are_counted_once_and_guests_each(fanout: Fanout) -> None:
    for key in (7, 7, None, None):
        watch(fanout, Reader(), key=key)

    assert fanout.room.viewers == 3


# --- over a real socket -----------------------------------------------------------------------------------------------


async def test_credit_is_exact_on_the_wire(house: Any, connect: Any, watching: Any, tell: Any) -> None:
    client = await connect(await house(Door("watch", "stream", False, watching)))
    await client.send(request(STREAM, 1, "watch", n=3))
    await client.settled()
    for number in range(20):
        tell(b"%d" % number)
    await client.settled()
    assert [b"0", b"1", b"2"] == client.items(1)
    await client.send(request_n(1, 2), request_n(1, 0), request_n(1, 2**31 + 1))
    await client.settled()
    assert [b"%d" % number for number in range(6)] == client.items(1)
    await client.send(cancel(1))
    await client.settled()
    tell(b"after")
    await client.settled()
    assert len(client.items(1)) == 6


async def test_a_watch_on_a_channel_is_carried_too(house: Any, connect: Any, fanout: Fanout, tell: Any) -> None:
    async def talk(_caller: Any, _data: bytes) -> Any:
        return Watch(fanout, Seat(None), Wishes(since=0)), None

    client = await connect(await house(Door("talk", "channel", False, talk)))
    await client.send(request(CHANNEL, 1, "talk", n=2))
    await client.settled()
    tell(b"1", b"2", b"3")

    assert [b"1", b"2"] == await client.got(1, 2)
    assert next(iter(fanout.viewers)).writer is not None


@pytest.mark.parametrize("kernel", [None, *KERNELS])
async def test_a_stalled_reader_costs_a_buffer_and_nothing_more_not_as_rsocket_py(
    house: Any, connect: Any, watching: Any, tell: Any, fanout: Fanout, monkeypatch: Any, kernel: str | None
) -> None:
    if kernel is not None:
        fanout._ring = ring_of(kernel, monkeypatch)
        monkeypatch.setattr(limits, "RING_SENDS_MIN", 1)
    server = await house(Door("watch", "stream", False, watching))
    stalled, live = await connect(server, read=False), await connect(server)
    for number, client in enumerate((stalled, live), 1):
        await client.send(request(STREAM, 1, "watch", n=UNBOUNDED))
        async with asyncio.timeout(60):
            while fanout.ready < number:
                await asyncio.sleep(0)
    transport = stalled.websocket._response.connection.transport
    transport.pause_reading()
    behind = next(iter(fanout.viewers))
    lines, largest = 3_000, 0
    for number in range(lines):
        tell(b"%06d" % number + b"x" * 1000)
        if number % 50 == 0:
            await live.got(1, number)
            largest = max(largest, *[connection._socket.waiting_bytes for connection in server._connections])

    assert largest < limits.WRITE_HIGH_BYTES + 2 * limits.BATCH_BYTES_MAX
    assert not behind.outbox.open
    assert fanout.room.log.bytes <= limits.LOG_BYTES_MAX
    assert len(await live.got(1, lines)) == lines
    # It reads again: what is still in the log comes, after one gap.
    transport.resume_reading()
    stalled.read()
    await stalled.until(lambda client: client.frames and client.frames[-1].body.startswith(b"%06d" % (lines - 1)))
    items = stalled.items(1)
    gaps = [item for item in items if item.startswith(b"gap")]
    assert len(gaps) == 1
    skipped = int(gaps[0].split()[1])
    assert skipped + len(items) - 1 == lines


async def test_nothing_is_sent_past_a_goodbye(house: Any, watching: Any, tell: Any, fanout: Fanout) -> None:
    server = await house(Door("watch", "stream", False, watching))
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(
        b"GET /rsocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    for message in (setup(), request(STREAM, 1, "watch", n=UNBOUNDED)):
        writer.write(bytes([0x82, 0x80 | len(message)]) + bytes(4) + message)
    async with asyncio.timeout(60):
        while not fanout._groups:
            await asyncio.sleep(0)
    tell(b"heard")
    await settled(fanout)
    (connection,) = server._connections
    connection._socket.shutdown(1002)  # As after a broken frame, of which the streams know nothing.
    assert connection._socket.direct() is None
    tell(b"late")
    await settled(fanout)
    writer.write(b"\x88\x80" + bytes(4))
    async with asyncio.timeout(60):
        heard = await reader.read()
    writer.close()

    assert heard.endswith(frames.items(1, [b"heard"]) + frames.close_message(1002))


async def test_frames_on_the_wire_are_one_a_message(house: Any, connect: Any, watching: Any, tell: Any) -> None:
    client = await connect(await house(Door("watch", "stream", False, watching)))
    await client.send(request(STREAM, 5, "watch", n=UNBOUNDED))
    await client.settled()
    tell(b"a", b"", b"c" * 70_000)

    assert [b"a", b"", b"c" * 70_000] == await client.got(5, 3)
    assert all(frame.kind == PAYLOAD for frame in client.frames)


@pytest.mark.parametrize("since", [None, 0, 5, 99])
async def test_where_a_watch_begins(since: int | None, fanout: Fanout, tell: Any) -> None:
    tell(*[b"%d" % number for number in range(1, 11)])
    reader = Reader()
    Watch(fanout, Seat(None), Wishes(since=since, history=3)).subscribe(reader)
    reader.subscription.request(100)
    first = {None: 8, 0: 1, 5: 6, 99: 8}[since]

    assert [b"%d" % number for number in range(first, 11)] == reader.items


def test_a_room_of_its_own() -> None:
    assert Fanout(1, Room(), lambda *_: b"").ready == 0
