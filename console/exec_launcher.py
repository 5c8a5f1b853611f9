"""Roof: become another program that ends when its parent ends, and that never runs as root.

Run as a file, never imported by the house: `python -I -S exec_launcher.py OPTIONS -- PROGRAM ARGUMENTS`.

    --parent=PID      the process that started us; if it is gone already, we go too
    --signal=NUMBER   what the program gets when the parent dies, however it dies (Linux)
    --unprivileged    root becomes nobody: in a user namespace of one user id where the kernel lets us
                      (files stay root's), else by setuid
    --no-namespace    skip the namespace (the fallback, as a container without it would take it)
    --own=PATH        a folder that the unprivileged program must own
    --nice=NUMBER     give way to others by so much
    --no-files        it may write no file and leave no core
    --cpu-seconds=N   it is killed when it has used so much

There is no preexec_fn in this house: it would run our Python between fork and exec of a threaded parent, and the fork
copies the page tables of all that the parent holds: 160 ms for a GiB of pictures, in which nothing else is served.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import resource
import sys

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
NOBODY_UID = 65534  # What Linux calls nobody when the password file does not.


def nobody() -> tuple[int, int]:
    """Return the (uid, gid) of nobody."""
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return NOBODY_UID, NOBODY_UID
    return entry.pw_uid, entry.pw_gid


def give(path: str, uid: int, gid: int) -> None:
    """Make `path` and all below it belong to `uid`, unless it does already."""
    if not os.path.lexists(path) or os.lstat(path).st_uid == uid:
        return
    for folder, folders, files in os.walk(path):
        for name in [*folders, *files]:
            with contextlib.suppress(FileNotFoundError):
                os.chown(f"{folder}/{name}", uid, gid, follow_symlinks=False)
    os.chown(path, uid, gid, follow_symlinks=False)  # Last: a change that was cut short is begun again.


def enter_namespace(uid: int, gid: int) -> bool:
    """Enter a user namespace in which we are `uid`; outside of it we stay who we are. False if refused."""
    if not sys.platform.startswith("linux"):
        return False
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    if ctypes.CDLL(None).unshare(CLONE_NEWUSER) != 0:
        return False  # Docker's seccomp profile, for one.
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {outer_uid} 1"),
        ("gid_map", f"{gid} {outer_gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123 (pathlib costs 10 ms a start)
            file.write(text)
    return True


def drop_root(folders: list[str], *, namespace: bool) -> None:
    """Stop being root, and own `folders` as whoever we become."""
    uid, gid = nobody()
    for folder in folders:
        give(folder, os.geteuid(), os.getegid())
    if namespace and enter_namespace(uid, gid):
        return
    for folder in folders:
        give(folder, uid, gid)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def hold_back(values: dict[str, str]) -> None:
    """Give way and stay small, as the options say."""
    os.nice(int(values.get("--nice", 0)))
    if "--no-files" in values:
        for limit in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
            resource.setrlimit(limit, (0, 0))
    if "--cpu-seconds" in values:
        seconds = int(values["--cpu-seconds"])
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def main(arguments: list[str]) -> None:
    """Do what the options say, then become the program."""
    split = arguments.index("--")
    options, program = arguments[:split], arguments[split + 1 :]
    values = dict(option.partition("=")[::2] for option in options)
    parent = int(values["--parent"])
    os.setsid()  # Ctrl-C at the terminal is the parent's: it closes what uses the program first.
    if "--unprivileged" in values and os.geteuid() == 0:
        folders = [option.partition("=")[2] for option in options if option.startswith("--own=")]
        drop_root(folders, namespace="--no-namespace" not in values)
    if sys.platform.startswith("linux"):
        # After the drop: the kernel forgets this wish when the credentials change.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(values["--signal"]), 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent ended before its program began")
    hold_back(values)
    try:
        os.execvp(program[0], program)  # noqa: S606 (to become the program is the point)
    except OSError as error:
        sys.exit(f"{program[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
