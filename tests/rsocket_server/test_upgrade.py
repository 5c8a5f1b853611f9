from __future__ import annotations

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsocket_server import limits, upgrade
from rsocket_server.upgrade import Refused, Upgrade

# RFC 6455, §1.2 and §1.3: its own example.
HEAD = (
    b"GET /rsocket HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\nSec-WebSocket-Version: 13"
)
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def status(head: bytes) -> int:
    try:
        upgrade.read(head)
    except Refused as refused:
        return refused.status
    return 101


def test_the_example_of_the_specification() -> None:
    asked = Upgrade("/rsocket", "server.example.com", "http://example.com", ACCEPT)

    assert asked == upgrade.read(HEAD)
    assert upgrade.welcome(asked) == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Origin: http://example.com\r\n", b""),
        (b"GET /rsocket", b"GET /rsocket?a=%20b"),
        (b"Upgrade: websocket", b"uPGRADE:WebSocket"),
        (b"Connection: Upgrade", b"Connection: keep-alive,\tupgrade"),  # Firefox's.
        (b"Connection: Upgrade", b"Connection: keep-alive\r\nconnection: Upgrade"),
        (b"Version: 13", b"Version:13 \t"),
        (b"Origin:", b"Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: a, b\r\nOrigin:"),
        (b"Origin:", b"Cookie: name=" + "고양이".encode() + b"\r\nOrigin:"),
        (b"Origin:", b"Empty:\r\nContent-Length: 0\r\nOrigin:"),
    ],
)
def test_what_clients_also_write(old: bytes, new: bytes) -> None:
    asked = upgrade.read(HEAD.replace(old, new))

    assert ("/rsocket", ACCEPT) == (asked.path, asked.accept)


@pytest.mark.parametrize(
    ("old", "new", "refused"),
    [
        (b"GET", b"POST", 405),
        (b"GET", b"get", 400),
        (b"GET", b"", 400),
        (b"HTTP/1.1", b"HTTP/1.0", 400),
        (b"HTTP/1.1", b"HTTP/2", 400),
        (b"GET /rsocket HTTP/1.1", b"PRI * HTTP/2.0", 400),
        (b"/rsocket", b"http://server.example.com/rsocket", 400),
        (b"/rsocket", b"/rso cket", 400),
        (b"/rsocket", b"/rsocket\0", 400),
        (b"Host: server.example.com\r\n", b"", 400),
        (b"Host:", b"Host: other\r\nHost:", 400),
        (b"Origin:", b"Origin: https://evil.example\r\nOrigin:", 400),
        (b"Upgrade: websocket\r\n", b"", 400),
        (b"websocket", b"h2c", 400),
        (b"Connection: Upgrade", b"Connection: keep-alive", 400),
        (b"Version: 13", b"Version: 8", 426),
        (b"\r\nSec-WebSocket-Version: 13", b"", 426),
        (b"Version: 13", b"Version: 13\r\nSec-WebSocket-Version: 13", 400),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"", 400),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBsZSBub25jZQ", 400),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhl IHNhbXBsZSBub25jZQ==", 400),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBsZQ==", 400),
        (b"dGhlIHNhbXBsZSBub25jZQ==", "고양이".encode(), 400),
        (b"Origin:", b"Content-Length: 5\r\nOrigin:", 400),
        (b"Origin:", b"Transfer-Encoding: chunked\r\nOrigin:", 400),
        (b"Origin:", b"Folded: a\r\n b\r\nOrigin:", 400),
        (b"Origin:", b"Bare: a\nOrigin:", 400),
        (b"Origin:", b"Spaced : a\r\nOrigin:", 400),
        (b"Origin:", b"No colon\r\nOrigin:", 400),
        (b"Origin:", b": no name\r\nOrigin:", 400),
        (b"Origin: ", b"Origin: \0", 400),
    ],
)
def test_what_opens_nothing(old: bytes, new: bytes, refused: int) -> None:
    assert refused == status(HEAD.replace(old, new, 1))


@pytest.mark.parametrize("length", range(0, len(HEAD) + 4, 7))
def test_a_head_that_is_not_whole_yet(length: int) -> None:
    assert upgrade.split((HEAD + b"\r\n\r\n")[:length]) is None


def test_what_follows_the_head_is_kept() -> None:
    assert (HEAD, b"\x82\x80") == upgrade.split(bytearray(HEAD + b"\r\n\r\n\x82\x80"))


def test_a_head_at_its_limit() -> None:
    most = HEAD + b"\r\nX: " + b"x" * (limits.HEAD_BYTES_MAX - len(HEAD) - 9)
    assert len(most) + 4 == limits.HEAD_BYTES_MAX

    assert (most, b"") == upgrade.split(most + b"\r\n\r\n")
    assert upgrade.split(most) is None
    with pytest.raises(Refused, match="431"):
        upgrade.split(most + b"x\r\n\r\n")


def test_a_refusal_says_what_would_be_right() -> None:
    assert upgrade.refusal(HTTPStatus.NOT_FOUND) == (
        b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 13\r\n"
        b"Connection: close\r\n\r\n404 Not Found"
    )
    assert b"\r\nSec-WebSocket-Version: 13\r\n" in upgrade.refusal(HTTPStatus.UPGRADE_REQUIRED)
    assert b"\r\nAllow: GET\r\n" in upgrade.refusal(HTTPStatus.METHOD_NOT_ALLOWED)


@given(st.binary(), st.integers(0, len(HEAD)), st.integers(0, 20))
def test_any_bytes_are_read_or_refused(noise: bytes, at: int, lost: int) -> None:
    for head in (noise, HEAD[:at] + noise + HEAD[at + lost :]):
        try:
            asked = upgrade.read(head)
        except Refused as refused:
            assert refused.status in {400, 405, 426}
        else:
            assert asked.path.startswith("/")
            assert len(asked.accept) == len(ACCEPT)
