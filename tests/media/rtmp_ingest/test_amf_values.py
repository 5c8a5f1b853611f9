from __future__ import annotations

import pytest

from media.rtmp_ingest.amf_values import (
    DEPTH_MAX,
    NAME_BYTES_MAX,
    TEXT_BYTES_MAX,
    UNDEFINED,
    VALUES_MAX,
    AmfMarkerRefused,
    AmfReader,
    AmfTooDeep,
    AmfTooLarge,
    AmfTruncated,
    EcmaArray,
    checked_name,
)


def test_exact_reads():
    reader = AmfReader(b"abcdef")

    assert reader.take(2) == b"ab"
    assert not reader.skip_if(b"x")
    assert reader.skip_if(b"cd")
    assert not reader.exhausted
    assert reader.text(2) == "ef"
    assert reader.exhausted


def test_a_missing_byte_is_told_before_anything_is_read():
    reader = AmfReader(b"abc")
    with pytest.raises(AmfTruncated) as caught:
        reader.take(4 * 2**30)

    assert caught.value.missing_bytes == 4 * 2**30 - 3
    assert str(caught.value) == "AMF value ends 4294967293 bytes early"
    assert reader.take(3) == b"abc"


def test_text_that_is_not_utf8_is_replaced():
    assert AmfReader(b"caf\xe9 \xb0\xa1").text(7) == "caf\ufffd \ufffd\ufffd"


def test_depth_at_its_limit():
    reader = AmfReader(b"")
    for _ in range(DEPTH_MAX):
        reader.enter()
    reader.leave()
    reader.enter()
    with pytest.raises(AmfTooDeep) as caught:
        reader.enter()

    assert str(DEPTH_MAX) in str(caught.value)


def test_values_at_their_limit():
    reader = AmfReader(b"")
    for _ in range(VALUES_MAX):
        reader.spend_value()
    with pytest.raises(AmfTooLarge) as caught:
        reader.spend_value()

    assert (caught.value.what, caught.value.limit) == ("values", VALUES_MAX)
    assert str(caught.value) == f"AMF message with more than {VALUES_MAX} values"


def test_text_at_its_limit():
    reader = AmfReader(b"")
    reader.spend_text("x" * (TEXT_BYTES_MAX - 3))
    reader.spend_text("\uac00")  # Three bytes, not one.
    with pytest.raises(AmfTooLarge):
        reader.spend_text("x")


def test_names_at_their_limit():
    assert checked_name("x" * NAME_BYTES_MAX) == "x" * NAME_BYTES_MAX
    with pytest.raises(AmfTooLarge):
        checked_name("\uac00" * (NAME_BYTES_MAX // 3 + 1))


def test_a_refused_marker_says_which():
    assert str(AmfMarkerRefused(0, 7)) == "AMF0 marker 0x07 is not taken"


def test_undefined_is_not_null():
    assert UNDEFINED is not None
    assert UNDEFINED


def test_an_ecma_array_is_a_dict():
    assert EcmaArray(a=1) == {"a": 1}
