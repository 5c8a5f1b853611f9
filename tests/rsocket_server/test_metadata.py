from __future__ import annotations

import pytest
from rsocket.extensions.authentication import AuthenticationBearer, AuthenticationSimple
from rsocket.extensions.authentication_content import AuthenticationContent
from rsocket.extensions.composite_metadata import CompositeMetadata, CompositeMetadataItem
from rsocket.extensions.helpers import composite
from rsocket.extensions.helpers import route as library_route
from rsocket.extensions.mimetypes import WellKnownMimeTypes

from rsocket_server.metadata import (
    COMPOSITE_MIME,
    ROUTING_MIME,
    AuthenticationUnsupported,
    MetadataError,
    MetadataMalformed,
    RouteMissing,
    entries,
    read_bearer,
    read_route,
)
from tests.rsocket_server.script import bearer, long, routed, tags


def named(mime: bytes, content: bytes) -> bytes:
    return bytes([len(mime) - 1]) + mime + long(content)


@pytest.mark.parametrize(
    ("mime", "metadata", "route"),
    [
        (COMPOSITE_MIME, routed("chat.say"), "chat.say"),
        (COMPOSITE_MIME, named(b"x", b"") + b"\xa8" + long(b"?") + routed("a") + routed("b"), "a"),
        (COMPOSITE_MIME, named(ROUTING_MIME, tags("by name")), "by name"),
        (COMPOSITE_MIME, routed("r" * 255), "r" * 255),
        (COMPOSITE_MIME, b"\xfe" + long(tags("first") + tags("second")), "first"),
        (ROUTING_MIME, tags("chat.watch"), "chat.watch"),
        (ROUTING_MIME, tags("채팅"), "채팅"),
        (COMPOSITE_MIME, composite(library_route("as the library writes it")), "as the library writes it"),
    ],
)
def test_a_route_is_read(mime: bytes, metadata: bytes, route: str) -> None:
    assert route == read_route(mime, metadata)


@pytest.mark.parametrize(
    ("mime", "metadata", "kind"),
    [
        (COMPOSITE_MIME, b"", RouteMissing),
        (COMPOSITE_MIME, bearer(b"t"), RouteMissing),
        (COMPOSITE_MIME, b"\xfe" + long(b""), RouteMissing),
        (ROUTING_MIME, b"", RouteMissing),
        (ROUTING_MIME, b"\0", RouteMissing),
        (ROUTING_MIME, b"\x05four", MetadataMalformed),
        (ROUTING_MIME, b"\x02\xff\xfe", MetadataMalformed),
        (COMPOSITE_MIME, b"\xfe", MetadataMalformed),
        (COMPOSITE_MIME, b"\xfe\0\0", MetadataMalformed),
        (COMPOSITE_MIME, b"\xfe\0\0\x05abcd", MetadataMalformed),
        (COMPOSITE_MIME, b"\x05abc", MetadataMalformed),
    ],
)
def test_a_route_that_is_none(mime: bytes, metadata: bytes, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        read_route(mime, metadata)

    assert str(caught.value)
    assert isinstance(caught.value, MetadataError)


@pytest.mark.parametrize(
    ("mime", "metadata", "token"),
    [
        (COMPOSITE_MIME, b"", None),
        (COMPOSITE_MIME, routed("x"), None),
        (COMPOSITE_MIME, routed("x") + bearer(b"abc"), b"abc"),
        (COMPOSITE_MIME, bearer(b""), b""),
        (COMPOSITE_MIME, b"\xfc" + long(b"\x06bearerabc"), b"abc"),
        (COMPOSITE_MIME, b"\xfc" + long(b"\x05bearerabc"), b"abc"),
        (ROUTING_MIME, tags("x") + b"anything", None),
        (COMPOSITE_MIME, composite(AuthenticationContent(AuthenticationBearer("abc"))), b"abc"),
    ],
)
def test_a_token_is_read(mime: bytes, metadata: bytes, token: bytes | None) -> None:
    assert token == read_bearer(mime, metadata)


@pytest.mark.parametrize(
    ("metadata", "kind"),
    [
        (b"\xfc" + long(b""), MetadataMalformed),
        (b"\xfc" + long(b"\x09bear"), MetadataMalformed),
        (b"\xfc" + long(b"\x80\0\x01ab"), AuthenticationUnsupported),
        (b"\xfc" + long(b"\x03ldapabc"), AuthenticationUnsupported),
        (composite(AuthenticationContent(AuthenticationSimple("a", "b"))), AuthenticationUnsupported),
    ],
)
def test_credentials_that_are_no_token(metadata: bytes, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        read_bearer(COMPOSITE_MIME, metadata)

    assert str(caught.value)


def test_entries_are_those_that_the_library_writes() -> None:
    written = CompositeMetadata()
    written.append(CompositeMetadataItem(WellKnownMimeTypes.APPLICATION_JSON, b"{}"))
    written.append(CompositeMetadataItem(b"application/x.own", b"own"))

    # A well-known id that we do not read is passed over, not an error as in the library.
    assert [(b"", b"{}"), (b"application/x.own", b"own")] == list(entries(written.serialize()))
