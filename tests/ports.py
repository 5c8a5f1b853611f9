"""Ports for the servers that a test starts."""

from __future__ import annotations

import atexit
import socket


def reserve_port() -> int:
    """A TCP port on loopback that nobody listens on, kept for us until this process ends.

    A port that was looked for and let go is anybody's: before our server has come up, one of the thousands of
    connections that the suite opens may have it for its own end. Bound with SO_REUSEADDR and not listening, it is given
    to no connection, and a server, which sets the same option, may listen there all the same.
    """
    keeper = socket.socket()
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    keeper.bind(("127.0.0.1", 0))
    atexit.register(keeper.close)
    return keeper.getsockname()[1]
