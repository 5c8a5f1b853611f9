"""Hours of bad encoders in minutes: the simulation of tests/media/hls_writer/test_hours.py for as long as one likes.

    python tests/bench/check_hours.py [--hours 4] [--seed 1] [--full 0.0]

`--full`: how often (0 to 1) the disk refuses a write. Prints every broken rule; exit code 1 if there was any.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from media import folder  # noqa: E402
from media.hls_writer.journal import VERSION, Began  # noqa: E402
from media.hls_writer.writer import Writer  # noqa: E402
from media.spool import Spool  # noqa: E402
from tests.media.simulation import RUNG, Simulation  # noqa: E402

WINDOW_SECONDS = 300


async def simulate(hours: float, seed: int, full: float) -> int:
    real, dice = folder.free_bytes, random.Random(seed)
    folder.free_bytes = lambda path: 0 if dice.random() < full else real(path)
    began = Began(VERSION, 3, 7, 0.334, ("source", RUNG), hidden=False)
    with tempfile.TemporaryDirectory() as root:
        spool = Spool(Path(root), quota_bytes=2**40)
        spool.start()
        recorder = spool.record(began, window_seconds=WINDOW_SECONDS)
        simulation = Simulation(Writer(7, began.renditions, recorder=recorder), spool, seed)
        at = time.monotonic()
        await simulation.run(hours)
        wall = time.monotonic() - at
        await spool.close()
        files = sum(1 for _ in Path(root).rglob("*"))
    for words in sorted(set(simulation.findings)):
        print(words)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{len(simulation.findings)} broken rules in {simulation.seconds / 3600:.1f} h: {simulation.sessions} encoders,"
        f" {simulation.looks} looks at {2 * 4} playlists, {spool.refused} writes refused, {files} files at the end,"
        f" {megabytes:.0f} MB at most, {wall:.0f} s"
    )
    return 1 if simulation.findings else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--full", type=float, default=0.0)
    given = parser.parse_args()
    return asyncio.run(simulate(given.hours, given.seed, given.full))


if __name__ == "__main__":
    sys.exit(main())
