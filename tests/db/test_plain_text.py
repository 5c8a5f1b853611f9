"""A line that hides something is told from one that spells something."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.plain_text import is_plain

LINES = json.loads(
    (Path(__file__).parents[1] / "vectors" / "plain_text" / "lines.json").read_text(encoding="utf-8"),
)


@pytest.mark.parametrize("line", LINES, ids=lambda line: line["what"])
def test_a_line_is_plain_or_becomes_so_without_what_hides_in_it(line):
    assert is_plain(line["plain"])
    assert is_plain(line["typed"]) == (line["typed"] == line["plain"])


@pytest.mark.parametrize("text", ["\x00", "a\x7f", "\x1b[31m", "가\x85", "가\ud800"])
def test_a_control_or_half_a_character_is_not_plain(text):
    assert not is_plain(text)


@given(st.text(max_size=40), st.text(max_size=40))
def test_two_lines_that_are_plain_are_plain_together(one, other):
    if is_plain(one) and is_plain(other):
        assert is_plain(one + other)
