from __future__ import annotations

from dataclasses import dataclass

import pytest

from media.eviction import next_victim


@dataclass
class Files:
    name: str
    bytes_held: int
    bytes_unlisted: int = 0
    ended: bool = False


@pytest.mark.parametrize(
    ("files", "victim"),
    [
        ([], None),
        ([Files("empty", 0)], None),
        ([Files("small", 5), Files("large", 9)], "large"),
        ([Files("first", 5, ended=True), Files("second", 9, ended=True), Files("live", 99)], "first"),
        ([Files("ended", 5, ended=True), Files("live", 9, 3), Files("other", 9, 4)], "other"),
        ([Files("empty", 0, ended=True), Files("live", 1)], "live"),
    ],
)
def test_first_what_nobody_sees_then_what_has_ended_then_the_largest(files, victim):
    found = next_victim(files)

    assert victim == (found.name if found else None)
