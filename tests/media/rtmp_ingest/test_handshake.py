from __future__ import annotations

import hashlib
import hmac
from random import Random

import pytest

from media.rtmp_ingest.handshake import (
    CLIENT_WORDS,
    NONCE_BYTES,
    OFFSET_BASES,
    PACKET_BYTES,
    SERVER_CONSTANT,
    SERVER_WORDS,
    Handshake,
    Progress,
    UnknownVersion,
    answer,
    digest_of,
    find_digest,
    imprint,
)
from tests.media.rtmp_ingest.feeding import byte_by_byte, whole
from tests.media.rtmp_ingest.publisher import NONCE

RANDOM = Random(1)
C2 = RANDOM.randbytes(PACKET_BYTES)
SIMPLE_C1 = bytes(8) + RANDOM.randbytes(PACKET_BYTES - 8)
# What ffmpeg says: time 0, version 9.0.124.2.
UNSIGNED_C1 = bytes((0, 0, 0, 0, 9, 0, 124, 2)) + RANDOM.randbytes(PACKET_BYTES - 8)
DIGEST_C1 = {base: imprint(UNSIGNED_C1, base, CLIENT_WORDS) for base in OFFSET_BASES}


@pytest.mark.parametrize("c1", [SIMPLE_C1, UNSIGNED_C1, *DIGEST_C1.values()], ids=["simple", "bad", "8", "772"])
@pytest.mark.parametrize("split", [whole, byte_by_byte])
def test_shakes_hands_however_the_bytes_are_split(c1, split):
    handshake = Handshake(NONCE)
    replies, progress = [], Progress(b"", done=False, rest=b"")
    for piece in split(b"\x03" + c1 + C2):
        assert not progress.done
        progress = handshake.receive_data(piece)
        replies.append(progress.reply)

    assert progress.done
    assert progress.rest == b""
    assert b"".join(replies) == answer(c1, NONCE)
    # All of S0 S1 S2 goes out at once, as soon as C1 is whole and not before.
    assert sum(map(bool, replies)) == 1


def test_answers_with_the_last_byte_of_c1_and_not_before():
    handshake = Handshake(NONCE)

    assert handshake.receive_data(b"\x03" + SIMPLE_C1[:-1]) == Progress(b"", done=False, rest=b"")
    assert len(handshake.receive_data(SIMPLE_C1[-1:]).reply) == 1 + 2 * PACKET_BYTES


@pytest.mark.parametrize("tail", [b"\x02", b"chunks " * 300])
def test_bytes_behind_c2_survive(tail):
    handshake = Handshake(NONCE)

    assert handshake.receive_data(b"\x03" + SIMPLE_C1 + C2 + tail).rest == tail


def test_c2_split_at_every_byte():
    for cut in range(1, PACKET_BYTES, 97):
        handshake = Handshake(NONCE)

        assert not handshake.receive_data(b"\x03" + SIMPLE_C1 + C2[:cut]).done
        assert handshake.receive_data(C2[cut:] + b"tail") == Progress(b"", done=True, rest=b"tail")


def test_simple_form_echoes_and_says_no_version():
    s0_s1_s2 = answer(SIMPLE_C1, NONCE)

    assert s0_s1_s2[0] == 3
    assert s0_s1_s2[1:9] == bytes(8)
    assert s0_s1_s2[9 : 1 + PACKET_BYTES] == NONCE[: PACKET_BYTES - 8]
    assert s0_s1_s2[1 + PACKET_BYTES :] == SIMPLE_C1


def test_a_c1_with_a_version_but_no_digest_is_answered_simply():
    assert answer(UNSIGNED_C1, NONCE)[1 + PACKET_BYTES :] == UNSIGNED_C1


@pytest.mark.parametrize("base", OFFSET_BASES)
def test_digest_form_proves_that_it_read_c1(base):
    s0_s1_s2 = answer(DIGEST_C1[base], NONCE)
    s1, s2 = s0_s1_s2[1 : 1 + PACKET_BYTES], s0_s1_s2[1 + PACKET_BYTES :]

    assert find_digest(s1, SERVER_WORDS) == base
    key = hmac.digest(SERVER_WORDS + SERVER_CONSTANT, digest_of(DIGEST_C1[base], base), hashlib.sha256)
    assert s2[-32:] == hmac.digest(key, s2[:-32], hashlib.sha256)


def test_a_changed_byte_is_no_digest():
    broken = bytearray(DIGEST_C1[8])
    broken[1000] ^= 1

    assert find_digest(bytes(broken), CLIENT_WORDS) is None


@pytest.mark.parametrize("version", [0, 2, 4, 6, 22, 71])
def test_refuses_another_version_at_its_first_byte(version):
    with pytest.raises(UnknownVersion) as caught:
        Handshake(NONCE).receive_data(bytes((version,)))

    assert caught.value.version == version
    assert str(version) in str(caught.value)


def test_nothing_is_nothing():
    assert Handshake(NONCE).receive_data(b"") == Progress(b"", done=False, rest=b"")


def test_a_nonce_must_be_long_enough():
    with pytest.raises(AssertionError):
        Handshake(bytes(NONCE_BYTES - 1))
