from __future__ import annotations

import os
from random import Random

import pytest

from media.rtmp_ingest import amf0, messages
from media.rtmp_ingest.amf_values import AmfTruncated
from media.rtmp_ingest.chunks import Message
from media.rtmp_ingest.errors import AmfError, MessageError
from media.rtmp_ingest.messages import (
    AGGREGATE_PARTS_MAX,
    AMF_BYTES_MAX,
    Abort,
    Acknowledgement,
    AggregateMalformed,
    AggregateTooLong,
    AmfTooLong,
    Command,
    CommandMalformed,
    Data,
    PayloadTooShort,
    SetChunkSize,
    SetPeerBandwidth,
    Unknown,
    UserControl,
    WindowAckSize,
)

ROUNDS = int(os.environ.get("COMMEOW_FUZZ_ROUNDS", "3000"))

# Read in both directions: type, payload, message.
VECTORS = {
    "set chunk size": (1, "00001000", SetChunkSize(4096)),
    "abort": (2, "00000004", Abort(4)),
    "acknowledgement": (3, "ffffffff", Acknowledgement(2**32 - 1)),
    "stream begin": (4, "0000 00000001", UserControl(messages.STREAM_BEGIN, b"\0\0\0\1")),
    "ping request": (4, "0006 00000005", UserControl(messages.PING_REQUEST, b"\0\0\0\5")),
    "user control that Flash sends and nobody explains": (4, "001f 00000001", UserControl(31, b"\0\0\0\1")),
    "user control without fields": (4, "ffff", UserControl(65535, b"")),
    "window acknowledgement size": (5, "002625a0", WindowAckSize(2_500_000)),
    "set peer bandwidth": (6, "002625a0 02", SetPeerBandwidth(2_500_000, messages.LIMIT_DYNAMIC)),
    "data": (18, "02 0001 61 05", Data(["a", None])),
    "empty data": (18, "", Data([])),
    "command": (20, "02 0001 61 00 3ff0000000000000 05", Command("a", 1.0, None, [])),
    "command with arguments": (
        20,
        "02 0001 61 00 0000000000000000 03 000009 01 01 05",
        Command("a", 0.0, {}, [True, None]),
    ),
    "shared object": (19, "0102", Unknown(19, b"\1\2")),
    "a type of nobody's": (99, "", Unknown(99, b"")),
}


@pytest.mark.parametrize(("type_id", "text", "message"), VECTORS.values(), ids=VECTORS)
def test_reads_and_writes(type_id, text, message):
    payload = bytes.fromhex(text)

    assert messages.read(type_id, payload) == message
    assert messages.write(message) == (type_id, payload)


@pytest.mark.parametrize(
    ("type_id", "length"), [(1, 4), (2, 4), (3, 4), (4, 2), (5, 4), (6, 5)], ids=["1", "2", "3", "4", "5", "6"]
)
def test_a_message_of_a_fixed_form_is_read_whole_or_not(type_id, length):
    for short in range(length):
        with pytest.raises(PayloadTooShort) as caught:
            messages.read(type_id, bytes(short))

        assert (caught.value.type_id, caught.value.length) == (type_id, short)
        assert str(caught.value) == f"message of type {type_id} has only {short} bytes"
    exact = messages.read(type_id, bytes(length))

    # A tail survives where a field holds it, and is not looked at elsewhere.
    assert messages.read(type_id, bytes(length) + b"tail") == exact or type_id == 4


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 255])
def test_all_kinds_of_peer_bandwidth(kind):
    assert messages.read(6, bytes((0, 0, 0, 1, kind))) == SetPeerBandwidth(1, kind)


def test_commands_and_data_of_amf3_begin_with_a_format_byte():
    payload = amf0.encode("connect", 1.0, {"app": "live"})

    assert messages.read(17, b"\0" + payload) == Command("connect", 1.0, {"app": "live"}, [])
    assert messages.read(15, b"\0" + amf0.encode("onMetaData")) == Data(["onMetaData"])
    # Some leave it out.
    assert messages.read(17, payload) == Command("connect", 1.0, {"app": "live"}, [])
    # A value that switches to AMF3: 0x11, then the string "x".
    assert messages.read(17, b"\0" + amf0.encode("publish", 5.0, None) + b"\x11\x06\x03x").arguments == ["x"]


def test_a_command_may_end_after_its_transaction():
    assert messages.read(20, amf0.encode("createStream", 2.0)) == Command("createStream", 2.0, None, [])


@pytest.mark.parametrize(
    "values",
    [[], ["connect"], [1.0, "connect"], [True, 1.0], [None, 1.0], ["connect", "1"], ["connect", None], [{}, 1.0]],
    ids=repr,
)
def test_a_command_needs_a_name_and_a_transaction(values):
    with pytest.raises(CommandMalformed) as caught:
        messages.read(20, amf0.encode(*values))

    assert str(caught.value)


@pytest.mark.parametrize("type_id", [15, 17, 18, 20])
def test_commands_and_data_at_their_limit(type_id):
    payload = amf0.encode("x", 0.0)
    payload += amf0.encode("y" * (AMF_BYTES_MAX - len(payload) - 3 - (1 << 15)))
    payload += amf0.encode("z" * (AMF_BYTES_MAX - len(payload) - 3))

    assert len(payload) == AMF_BYTES_MAX
    messages.read(type_id, payload)
    with pytest.raises(AmfTooLong) as caught:
        messages.read(type_id, payload + b"\x05")

    assert str(caught.value) == f"message of type {type_id} has {AMF_BYTES_MAX + 1} bytes, more than {AMF_BYTES_MAX}"


def test_broken_amf_is_told_as_such():
    with pytest.raises(AmfTruncated):
        messages.read(20, b"\x02\xff\xff")


def tag(type_id: int, time: int, payload: bytes, *, pointer: bool = True) -> bytes:
    header = bytes((type_id,)) + len(payload).to_bytes(3, "big") + (time & 0xFFFFFF).to_bytes(3, "big")
    header += bytes((time >> 24,)) + b"\0\0\7"
    return header + payload + ((len(payload) + 11).to_bytes(4, "big") if pointer else b"")


@pytest.mark.parametrize("pointer", [True, False], ids=["whole", "without the last pointer"])
def test_splits_an_aggregate(pointer):
    payload = tag(8, 1000, b"a") + tag(9, 1023, b"video") + tag(8, 1046, b"", pointer=pointer)

    assert list(messages.split(Message(22, 5000, 1, payload))) == [
        Message(8, 5000, 1, b"a"),
        Message(9, 5023, 1, b"video"),
        Message(8, 5046, 1, b""),
    ]


def test_an_empty_aggregate_has_no_parts():
    assert list(messages.split(Message(22, 0, 1, b""))) == []


def test_times_in_an_aggregate_wrap():
    payload = tag(9, 0xFFFFFFF0, b"a") + tag(9, 0xFFFFFFFF, b"b")

    assert [m.timestamp for m in messages.split(Message(22, 0xFFFFFFFA, 1, payload))] == [0xFFFFFFFA, 9]


def test_an_aggregate_cut_anywhere_in_a_part_is_refused():
    whole = tag(9, 0, b"video")
    for cut in range(1, len(whole)):
        if cut >= len(whole) - 4:
            assert len(list(messages.split(Message(22, 0, 1, whole[:cut])))) == 1
            continue
        with pytest.raises(AggregateMalformed) as caught:
            list(messages.split(Message(22, 0, 1, whole[:cut])))

        assert str(caught.value)


def test_parts_of_an_aggregate_at_their_limit():
    assert len(list(messages.split(Message(22, 0, 1, tag(8, 0, b"") * AGGREGATE_PARTS_MAX)))) == AGGREGATE_PARTS_MAX
    with pytest.raises(AggregateTooLong) as caught:
        list(messages.split(Message(22, 0, 1, tag(8, 0, b"") * (AGGREGATE_PARTS_MAX + 1))))

    assert str(caught.value)


def test_fuzz_accepted_can_be_written_again_and_refused_is_documented():
    random = Random(7)
    seeds = [(type_id, bytes.fromhex(text)) for type_id, text, _ in VECTORS.values()]
    accepted = 0
    for _ in range(ROUNDS):
        type_id, data = random.choice(seeds)
        payload = bytearray(data)
        for _ in range(random.randint(0, 3)):
            if payload:
                payload[random.randrange(len(payload))] = random.getrandbits(8)
        try:
            message = messages.read(type_id, bytes(payload))
        except (MessageError, AmfError) as error:
            assert str(error)
        else:
            written = messages.write(message)

            assert messages.write(messages.read(*written)) == written
            accepted += 1
    assert accepted > ROUNDS / 6
