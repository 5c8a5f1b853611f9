from __future__ import annotations

import errno
import os

import pytest

from media import folder as module
from media.folder import LOG_OWED_BYTES_MAX, Folder, free_bytes


@pytest.fixture
def folder(tmp_path):
    folder = Folder(tmp_path / "7", reserve_bytes=0)
    yield folder
    folder.close()


def names(folder):
    return sorted(path.name for path in folder.path.iterdir())


class Full:
    """A disk that takes so many bytes and no more."""

    def __init__(self, monkeypatch, left):
        self.left = left
        self._write = os.write
        monkeypatch.setattr(module.os, "write", self.write)

    def write(self, descriptor, data):
        size = min(len(data), self.left)
        if not size:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.left -= size
        return self._write(descriptor, bytes(data[:size]))


def test_a_file_grows_under_a_dot_and_gets_its_name_whole(folder):
    folder.append("s1", b"ab")
    folder.append("s2", b"x")
    folder.append("s1", b"cd")
    assert names(folder) == [".s1", ".s2"]
    folder.finish("s1", [b"ab", b"cd"])

    assert names(folder) == [".s2", "s1"]
    assert (folder.path / "s1").read_bytes() == b"abcd"


def test_what_was_not_appended_is_written_at_the_end(folder):
    folder.append("s1", b"ab")
    folder.finish("s1", [b"ab", b"cd"])
    folder.finish("s2", [b"ef"])

    assert [(folder.path / name).read_bytes() for name in names(folder)] == [b"abcd", b"ef"]


def test_a_full_disk_leaves_no_piece_behind_and_the_next_file_is_whole_again(folder, monkeypatch):
    folder.append("s1", b"ab")
    full = Full(monkeypatch, left=1)
    with pytest.raises(OSError, match="No space"):
        folder.append("s1", b"cd")
    assert names(folder) == []
    full.left = 100
    folder.append("s1", b"ef")
    assert names(folder) == []  # A process that goes on from here must not take the third piece for the first.
    folder.finish("s1", [b"ab", b"cd", b"ef"])

    assert (folder.path / "s1").read_bytes() == b"abcdef"
    assert names(folder) == ["s1"]


def test_a_piece_that_had_no_room_in_the_queue_is_as_a_refused_one(folder):
    folder.append("s1", b"ab")
    folder.refuse("s1")
    folder.append("s1", b"ef")
    assert names(folder) == []
    folder.finish("s1", [b"ab", b"cd", b"ef"])
    folder.append("s1", b"anew")

    assert names(folder) == [".s1", "s1"]


def test_the_reserve_is_left_to_others(tmp_path):
    folder = Folder(tmp_path / "7", reserve_bytes=free_bytes(tmp_path) * 2)
    for write in (
        lambda: folder.append("s1", b"ab"),
        lambda: folder.finish("s1", [b"ab"]),
        lambda: folder.write("i", b"x"),
    ):
        with pytest.raises(OSError, match="No space"):
            write()
    folder.log("journal_1", b"but the log may use it")

    assert names(folder) == ["journal_1"]
    folder.close()


def test_a_small_file_is_there_at_once(folder):
    folder.write("init1", b"whole")

    assert names(folder) == ["init1"]


def test_removing_is_for_whole_and_for_growing_files(folder):
    folder.append("s1", b"ab")
    folder.write("s2", b"ab")
    folder.append("s3", b"ab")
    for name in ("s1", "s2", "s4"):
        folder.remove(name)
    folder.discard("s3")

    assert names(folder) == []


def test_a_log_goes_on_where_it_was(folder):
    folder.log("journal_1", b"ab")
    folder.log("journal_1", b"cd")
    folder.log("journal_2", b"ef")
    folder.close()
    folder.log("journal_2", b"gh")

    assert [(folder.path / name).read_bytes() for name in names(folder)] == [b"abcd", b"efgh"]


def test_a_log_that_is_behind_has_another_name_until_it_has_caught_up(folder, monkeypatch):
    folder.log("journal_1", b"ab")
    full = Full(monkeypatch, left=1)
    for name in ("journal_1", "journal_2"):
        with pytest.raises(OSError, match="No space"):
            folder.log(name, b"cd")
        assert names(folder) == ["journal_1.behind"]
        assert (folder.path / "journal_1.behind").read_bytes() == b"ab"  # no half record
    full.left = 100
    folder.log("journal_2", b"ef")
    folder.log("journal_2", b"gh")

    assert names(folder) == ["journal_1", "journal_2"]
    assert (folder.path / "journal_1").read_bytes() == b"abcdcdef"
    assert (folder.path / "journal_2").read_bytes() == b"gh"


def test_a_log_that_owes_too_much_is_given_up(folder, monkeypatch):
    folder.log("journal_1", b"ab")
    full = Full(monkeypatch, left=0)
    with pytest.raises(OSError, match="No space"):
        folder.log("journal_1", b"x")
    folder.log("journal_1", b"x" * LOG_OWED_BYTES_MAX)
    full.left = 2**30
    folder.log("journal_1", b"cd")

    assert names(folder) == ["journal_1.behind"]


def test_everything_can_go(folder):
    folder.append("s1", b"ab")
    folder.log("journal_1", b"ab")
    folder.delete()
    folder.delete()

    assert not folder.path.exists()
