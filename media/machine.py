"""Shell: what this process may use of the machine: all of it, or what a container was given."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# Control groups (cgroups(7)), version 2; and where version 1 has the memory's.
GROUPS: Final = Path("/sys/fs/cgroup")
GROUPS_V1_MEMORY: Final = GROUPS / "memory"
OWN_GROUPS: Final = Path("/proc/self/cgroup")


def usable_cores(groups: Path = GROUPS, own: Path = OWN_GROUPS) -> float:
    """How many cores: those it may run on, or the quota of the narrowest group around it."""
    cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    for folder in _around(groups, own, ""):
        with suppress(OSError, ValueError):
            quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()  # "max 100000": no limit
            cores = min(cores, int(quota) / int(period))
    return cores


def usable_bytes(groups: Path = GROUPS, v1: Path = GROUPS_V1_MEMORY, own: Path = OWN_GROUPS) -> int:
    """How much memory: the machine's, or the limit of the narrowest group around it."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    files = [folder / "memory.max" for folder in _around(groups, own, "")]
    files += [folder / "memory.limit_in_bytes" for folder in _around(v1, own, "memory")]
    for file in files:
        with suppress(OSError, ValueError):
            limits.append(int(file.read_text(encoding="ascii")))  # "max": no limit
    return min(limits)


def _around(root: Path, own: Path, controller: str) -> Iterator[Path]:
    """The folders of the groups that this process is in, from the outermost; in a container often the root alone."""
    yield root
    with suppress(OSError):
        for line in own.read_text(encoding="utf-8", errors="replace").splitlines():
            _, controllers, path = line.split(":", 2)  # "0::/system.slice/commeow.service"
            if controller in controllers.split(","):
                folder = root
                for name in path.strip("/").split("/"):
                    folder = folder / name
                    yield folder
