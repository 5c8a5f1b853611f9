"""Children of the console: heard, restarted, and never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest

from console import children
from console.children import Child, ChildFailed, lines_of
from console.embedded_server import is_alive, until

READY = "print('ready here', flush=True)"
STAY = "import time\ntime.sleep(600)"
STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)"
GRANDCHILD = "import subprocess\nprint(subprocess.Popen(['sleep', '600']).pid, flush=True)"

CONSOLE = """
import asyncio, os, sys
from functools import partial
from console.children import Child

async def main():
    child = Child("child", partial(list, [sys.executable, "-c", sys.argv[1]]), dict(os.environ))
    task = asyncio.create_task(child.run())
    await child.ready.wait()
    print("pid", child.process.pid, flush=True)
    await task

asyncio.run(main())
"""


def child(*lines: str, **options) -> Child:
    return Child("child", lambda: [sys.executable, "-c", "\n".join(lines)], dict(os.environ), **options)


async def ended(task: asyncio.Task) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_child_is_ready_when_it_says_so(capsys):
    one = child("print('loading', flush=True)", READY, STAY)
    task = asyncio.create_task(one.run())
    await one.ready.wait()
    pid = one.process.pid

    assert is_alive(pid)
    assert os.getpgid(pid) == pid

    await ended(task)

    assert not is_alive(pid)
    assert "child          | loading" in capsys.readouterr().out


async def test_a_child_that_ends_before_it_is_ready_tells_why():
    with pytest.raises(ChildFailed) as failed:
        await child("import sys", "sys.exit('port 1 is taken')").run()

    assert "port 1 is taken" == str(failed.value)


async def test_a_silent_end_before_it_is_ready_is_a_line_too():
    with pytest.raises(ChildFailed) as failed:
        await child("pass").run()

    assert "child ended before it was ready" == str(failed.value)


async def test_a_child_that_ends_later_is_started_again_with_growing_pauses(monkeypatch, capsys):
    monkeypatch.setattr(children, "BACK_OFF_SECONDS", (0.01, 0.02))
    starts = []
    one = child()

    def command():
        starts.append(None)
        return [sys.executable, "-c", f"{READY}\nraise SystemExit({len(starts)})"]

    one._command = command
    task = asyncio.create_task(one.run())
    await until(lambda: len(starts) == 4, 60)
    await ended(task)
    out = capsys.readouterr().out

    assert "child ended (exit code 1): starting it again in 0.01 s" in out
    assert "child ended (exit code 2): starting it again in 0.02 s" in out
    assert "child ended (exit code 3): starting it again in 0.02 s" in out


async def test_who_lived_well_begins_the_pauses_anew(monkeypatch, capsys):
    monkeypatch.setattr(children, "BACK_OFF_SECONDS", (0.01, 60.0))
    monkeypatch.setattr(children, "WELL_SECONDS", 0.0)
    one = child(READY)
    task = asyncio.create_task(one.run())
    await until(lambda: capsys.readouterr().out.count("again in 0.01 s") > 0, 60)
    await until(lambda: capsys.readouterr().out.count("again in 0.01 s") > 0, 60)
    await ended(task)


async def test_a_quiet_child_says_only_why_it_ended(monkeypatch, capsys):
    monkeypatch.setattr(children, "BACK_OFF_SECONDS", (60.0,))
    one = child("import sys", "print('chatter', file=sys.stderr)", "sys.exit('why')", says_ready=False, is_loud=False)
    task = asyncio.create_task(one.run())
    out = ""

    def said() -> bool:
        nonlocal out
        out += capsys.readouterr().out
        return "again" in out

    await until(said, 60)
    await ended(task)

    assert "child ended (exit code 1, 'why'): starting it again in 60 s\n" == out


async def test_a_killed_child_is_named_by_its_signal(monkeypatch, capsys):
    monkeypatch.setattr(children, "BACK_OFF_SECONDS", (60.0,))
    one = child(READY, STAY)
    task = asyncio.create_task(one.run())
    await one.ready.wait()
    os.kill(one.process.pid, signal.SIGKILL)
    await until(lambda: "child ended (SIGKILL)" in capsys.readouterr().out, 60)
    await ended(task)


async def test_a_stubborn_child_is_killed(monkeypatch):
    monkeypatch.setattr(children, "STOP_SECONDS_MAX", 0.1)
    one = child(STUBBORN, READY, STAY)
    task = asyncio.create_task(one.run())
    await one.ready.wait()
    pid = one.process.pid
    await ended(task)

    assert not is_alive(pid)


async def test_what_a_child_started_ends_with_it(capsys):
    one = child(GRANDCHILD, READY, STAY)
    task = asyncio.create_task(one.run())
    await one.ready.wait()
    grandchild = int(capsys.readouterr().out.split("|")[1])

    assert is_alive(grandchild)

    await ended(task)

    assert await until(lambda: not is_alive(grandchild), 60)


async def test_a_child_ends_when_the_console_is_killed():
    console = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CONSOLE, f"{READY}\n{STAY}", stdout=asyncio.subprocess.PIPE
    )
    word, number = (await console.stdout.readline()).split()
    console.kill()
    await console.wait()

    assert b"pid" == word
    assert await until(lambda: not is_alive(int(number)), 60)


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"one\ntwo\n", ["one", "two"]),
        (b"no end", ["no end"]),
        (b"\xff\n", ["\ufffd"]),
        (b"x" * (children.LINE_BYTES_MAX + 1) + b"\nshort\n", ["x" * children.LINE_BYTES_MAX, "short"]),
        (b"y" * 200_000, ["y" * children.LINE_BYTES_MAX]),
    ],
)
async def test_lines_are_cut_never_lost(data, lines):
    stream, heard = asyncio.StreamReader(), []
    stream.feed_data(data)
    stream.feed_eof()
    await lines_of(stream, heard.append)

    assert lines == heard
