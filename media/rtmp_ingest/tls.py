"""Shell: the server's side of TLS over bytes: what came in, what it says, what to send. RTMPS is RTMP inside.

Not the event loop's own TLS: there a connection is nobody's until its handshake is over, and half handshakes would be
in no limit. Here one is a connection like any other, with a session whose first byte is late.
"""

from __future__ import annotations

import contextlib
import ssl
from typing import Final

from media.rtmp_ingest.errors import HandshakeError

# A record holds 16 KiB; what is read at once is this and a half of it.
RECORD_BYTES: Final = 64 * 1024


class TlsBroken(HandshakeError):
    """The peer speaks no TLS, or none that we speak, or its records are garbled."""

    def __str__(self) -> str:
        return "TLS failed"


class Tls:
    """One connection's records. After TlsBroken only `data_to_send` makes sense: it holds the alert for the peer."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._in, self._out, server_side=True)
        self._shaken = False
        self.at_end = False  # Whether the peer has said that it says no more.

    def receive_data(self, data: bytes) -> bytes:
        """Take bytes in any split; return what they say. Raises TlsBroken."""
        self._in.write(data)
        said = []
        try:
            if not self._shaken:
                self._object.do_handshake()
                self._shaken = True
            while more := self._object.read(RECORD_BYTES):
                said.append(more)
            self.at_end = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.at_end = True
        except ssl.SSLError as error:
            raise TlsBroken from error
        return b"".join(said)

    def encrypt(self, data: bytes) -> bytes:
        """Return `data` as records. Not before the peer has said something in TLS: we have nothing to say earlier."""
        self._object.write(data)
        return self.data_to_send()

    def data_to_send(self) -> bytes:
        """Return what TLS itself has to say since the last call."""
        return self._out.read()

    def close(self) -> bytes:
        """Return the alert that we say no more."""
        # It wants the peer's own alert, for which nobody waits; or there was no handshake.
        with contextlib.suppress(ssl.SSLError):
            self._object.unwrap()
        return self.data_to_send()
