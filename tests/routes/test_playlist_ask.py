import pytest

from routes.playlist_ask import Ask, ChannelOffAir, DirectiveBad, read_ask


@pytest.mark.parametrize(
    ("query", "ask"),
    [
        ({}, Ask(None, None, skip=False)),
        ({"_HLS_msn": "7"}, Ask(7, None, skip=False)),
        ({"_HLS_msn": "7", "_HLS_part": "0"}, Ask(7, 0, skip=False)),
        ({"_HLS_part": "2"}, Ask(None, 2, skip=False)),
        ({"_HLS_skip": "YES"}, Ask(None, None, skip=True)),
        ({"_HLS_skip": "v2"}, Ask(None, None, skip=True)),
        ({"_HLS_skip": "no", "_HLS_new": "x"}, Ask(None, None, skip=False)),
        ({"_HLS_msn": "9" * 12}, Ask(10**12 - 1, None, skip=False)),
    ],
)
def test_directives_are_read(query, ask):
    assert read_ask(query) == ask


@pytest.mark.parametrize("name", ["_HLS_msn", "_HLS_part"])
@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", "1\n", "٣", "9" * 13])
def test_a_directive_that_is_no_number_is_refused_by_name(name, text):
    with pytest.raises(DirectiveBad, match=name) as caught:
        read_ask({"_HLS_msn": "1", name: text})

    assert caught.value.field == name


def test_off_air_has_words_for_the_log():
    assert str(ChannelOffAir()) == "off air"
