from __future__ import annotations

import os

import pytest

from media.machine import usable_bytes, usable_cores

BYTES = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def groups(tmp_path):
    """A process in the group /a/b of version 2, and /m of version 1's memory."""
    (tmp_path / "v2" / "a" / "b").mkdir(parents=True)
    (tmp_path / "v1" / "m").mkdir(parents=True)
    (tmp_path / "own").write_text("7:memory:/m\n3:cpu,cpuacct:/c\n0::/a/b\n")
    return tmp_path


@pytest.mark.parametrize(
    ("limits", "bytes_usable"),
    [
        ({}, BYTES),
        ({"v2/memory.max": "max\n"}, BYTES),
        ({"v2/memory.max": "1000000\n"}, 1_000_000),
        ({"v2/a/memory.max": "2000000\n", "v2/a/b/memory.max": "max\n"}, 2_000_000),
        ({"v2/a/memory.max": "2000000\n", "v2/a/b/memory.max": "3000000\n"}, 2_000_000),
        ({"v1/memory.limit_in_bytes": "9223372036854771712\n"}, BYTES),
        ({"v1/m/memory.limit_in_bytes": "4000000\n"}, 4_000_000),
        ({"v2/memory.max": "strange\n"}, BYTES),
    ],
)
def test_the_narrowest_group_says_how_much_memory_there_is(groups, limits, bytes_usable):
    for name, text in limits.items():
        (groups / name).write_text(text)

    assert bytes_usable == usable_bytes(groups / "v2", groups / "v1", groups / "own")


def test_without_groups_the_machine_is_all_there_is(tmp_path):
    assert usable_bytes(tmp_path / "none", tmp_path / "none", tmp_path / "none") == BYTES
    assert usable_cores(tmp_path / "none", tmp_path / "none") == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(("text", "share"), [("max 100000", None), ("50000 100000", 0.5), ("", None), ("x y", None)])
@pytest.mark.parametrize("where", ["v2/cpu.max", "v2/a/cpu.max", "v2/a/b/cpu.max"])
def test_a_container_may_have_less_than_the_machine(groups, text, share, where):
    (groups / where).write_text(text)

    assert (share or len(os.sched_getaffinity(0))) == usable_cores(groups / "v2", groups / "own")
