from __future__ import annotations

import contextlib
import os
import ssl
from random import Random

import pytest

from media.rtmp_ingest.tls import Tls, TlsBroken
from tests.media.rtmp_ingest.feeding import byte_by_byte, randomly, whole
from tests.media.rtmp_ingest.studio import client_tls, server_tls


class Client:
    """The other end, over bytes too."""

    def __init__(self) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.object = client_tls().wrap_bio(self._in, self._out, server_hostname="localhost")

    def shakes(self, heard: bytes = b"") -> bytes:
        self._in.write(heard)
        with contextlib.suppress(ssl.SSLWantReadError):
            self.object.do_handshake()
        return self._out.read()

    def says(self, data: bytes) -> bytes:
        self.object.write(data)
        return self._out.read()

    def hears(self, data: bytes) -> bytes:
        self._in.write(data)
        return self.object.read(1 << 20)

    def leaves(self) -> bytes:
        with pytest.raises(ssl.SSLError):
            self.object.unwrap()
        return self._out.read()


def shaken() -> tuple[Tls, Client]:
    tls, client = Tls(server_tls()), Client()

    assert tls.receive_data(client.shakes()) == b""
    assert tls.receive_data(client.shakes(tls.data_to_send())) == b""
    client.shakes(tls.data_to_send())  # Tickets.
    return tls, client


@pytest.mark.parametrize("split", [whole, byte_by_byte, lambda data: randomly(data, Random(3))])
def test_both_sides_hear_each_other_in_any_split(split):
    tls, client = Tls(server_tls()), Client()
    for piece in split(client.shakes()):
        assert tls.receive_data(piece) == b""
    said = os.urandom(40_000)
    records = client.shakes(tls.data_to_send()) + client.says(said)

    assert b"".join(map(tls.receive_data, split(records))) == said
    assert client.hears(tls.encrypt(b"answer")) == b"answer"
    assert not tls.at_end


def test_the_peer_says_no_more():
    tls, client = shaken()

    assert tls.receive_data(client.says(b"last") + client.leaves()) == b"last"
    assert tls.at_end


def test_we_say_no_more():
    tls, client = shaken()
    alert = tls.close()

    assert alert
    assert client.hears(alert) == b""


def test_closing_before_the_handshake_is_nothing():
    assert Tls(server_tls()).close() == b""


@pytest.mark.parametrize("data", [b"\x03" + bytes(1536), b"GET / HTTP/1.1\r\n\r\n", bytes(64), b"\xff" * 64])
def test_what_is_no_tls_is_refused(data):
    tls = Tls(server_tls())
    with pytest.raises(TlsBroken) as broken:
        tls.receive_data(data)

    assert str(broken.value) == "TLS failed"
    assert not tls.at_end


def test_a_garbled_record_is_the_peer_s_fault():
    tls, client = shaken()
    record = bytearray(client.says(b"frame"))
    record[-1] ^= 1
    with pytest.raises(TlsBroken):
        tls.receive_data(bytes(record))

    assert tls.data_to_send()
