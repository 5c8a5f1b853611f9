from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys

from media.children import NICENESS, launched, reap


async def run(code: str, **limits) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *launched([sys.executable, "-c", code], **limits),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )


async def said(code: str, **limits) -> str:
    process = await run(code, **limits)
    return (await process.communicate())[0].decode().strip()


async def test_a_child_gives_way(tmp_path):
    ours = os.nice(0)

    assert await said("import os; print(os.nice(0))") == str(min(19, ours + NICENESS))
    assert await said("import os; print(os.nice(0))", niceness=19) == "19"


async def test_a_child_writes_no_file_and_leaves_no_core(tmp_path):
    path = tmp_path / "file"
    process = await run(f"import os; os.write(os.open({str(path)!r}, os.O_CREAT | os.O_WRONLY), b'x')")

    assert await process.wait() != 0
    assert path.read_bytes() == b""
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE))"
    assert await said(code) == "(0, 0)"


async def test_a_child_that_computes_for_too_long_is_killed():
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_CPU))"

    assert await said(code) == str(resource.getrlimit(resource.RLIMIT_CPU))
    assert await said(code, cpu_seconds=7) == "(7, 7)"
    process = await run("while True: pass", cpu_seconds=1)
    assert await process.wait() == -signal.SIGKILL


async def test_a_child_has_a_session_of_its_own():
    process = await run("import os; print(os.getsid(0))")
    out, _ = await process.communicate()

    assert int(out) == process.pid


async def test_a_program_that_cannot_be_run_says_why(tmp_path):
    process = await asyncio.create_subprocess_exec(*launched([str(tmp_path)]), stderr=asyncio.subprocess.PIPE)
    _, words = await process.communicate()

    assert (process.returncode, words.decode()) == (1, f"{tmp_path}: Permission denied\n")


async def test_reaping_ends_what_runs_and_takes_what_has_ended():
    process = await run("input()")
    await reap(process)
    await reap(process)

    assert process.returncode == -signal.SIGKILL
    ended = await run("pass")
    await ended.wait()
    await reap(ended)
    assert ended.returncode == 0
