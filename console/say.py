"""Roof: one line to the operator, who may have closed the pipe."""

from __future__ import annotations

import contextlib
import sys

NAME_CHARACTERS = len("rsocket_server")


def say(line: str, *, of: str | None = None) -> None:
    """Print a line; `of` names the process that said it."""
    with contextlib.suppress(OSError, ValueError):  # `./commeow | head`: the house goes on.
        sys.stdout.write(f"{of:<{NAME_CHARACTERS}} | {line}\n" if of else f"{line}\n")
        sys.stdout.flush()
