"""Core: what rides in a payload's metadata: a route, and in SETUP a bearer token.

Read with bounds checked and unknown entries passed over, as Extensions/CompositeMetadata.md, Routing.md and
Security/Authentication.md ask; the library's reader raises on an unknown id and accepts a truncated entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

COMPOSITE_MIME = b"message/x.rsocket.composite-metadata.v0"
ROUTING_MIME = b"message/x.rsocket.routing.v0"
AUTHENTICATION_MIME = b"message/x.rsocket.authentication.v0"

# Well-known ids (Extensions/WellKnownMimeTypes.md) of the entries that we read.
_MIME_OF_ID = {0x7C: AUTHENTICATION_MIME, 0x7E: ROUTING_MIME, 0x7F: COMPOSITE_MIME}
_BEARER = 0x01  # Extensions/Security/WellKnownAuthTypes.md


class MetadataError(Exception):
    """Metadata of a request or of SETUP that says nothing we can act on."""


class MetadataMalformed(MetadataError):
    """An entry's length points beyond the end.

    Attributes:
        what: the part that was being read.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return f"the metadata ends inside its {self.what}"


class RouteMissing(MetadataError):
    """A request that names no route."""

    def __str__(self) -> str:
        return "no route in the metadata"


class AuthenticationUnsupported(MetadataError):
    """Credentials of another kind than bearer."""

    def __str__(self) -> str:
        return "only bearer authentication is taken"


def read_route(mime: bytes, metadata: bytes) -> str:
    """Answer the route of a request, whose metadata is of the type that SETUP named.

    Raises:
        RouteMissing: there is none, or it is empty.
        MetadataMalformed: lengths do not add up, or the route is not UTF-8.
    """
    if mime == ROUTING_MIME:
        return _first_tag(metadata)
    for name, entry in entries(metadata):
        if name == ROUTING_MIME:
            return _first_tag(entry)
    raise RouteMissing


def read_bearer(mime: bytes, metadata: bytes) -> bytes | None:
    """Answer the bearer token that SETUP carries, None if it carries none (a guest).

    Plain routing metadata has no place for a token: such a client is a guest.

    Raises:
        AuthenticationUnsupported: credentials of another kind.
        MetadataMalformed: lengths do not add up.
    """
    if mime != COMPOSITE_MIME:
        return None
    for name, entry in entries(metadata):
        if name == AUTHENTICATION_MIME:
            return _bearer(entry)
    return None


def entries(metadata: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield each (mime type, content) of composite metadata; an unknown well-known id yields an empty mime type."""
    offset, end = 0, len(metadata)
    while offset < end:
        first = metadata[offset]
        offset += 1
        if first & 0x80:
            name = _MIME_OF_ID.get(first & 0x7F, b"")
        else:
            # "Metadata MIME Length: must be > 0", so the length is stored less one.
            length = first + 1
            name = metadata[offset : offset + length]
            if len(name) < length:
                raise MetadataMalformed("mime type")
            offset += length
        if offset + 3 > end:
            raise MetadataMalformed("length")
        length = int.from_bytes(metadata[offset : offset + 3])
        offset += 3
        if offset + length > end:
            raise MetadataMalformed("entry")
        yield name, metadata[offset : offset + length]
        offset += length


def _first_tag(tags: bytes) -> str:
    if not tags or not tags[0]:
        raise RouteMissing
    tag = tags[1 : 1 + tags[0]]
    if len(tag) < tags[0]:
        raise MetadataMalformed("route")
    try:
        return tag.decode()
    except UnicodeDecodeError:
        raise MetadataMalformed("route") from None


def _bearer(entry: bytes) -> bytes:
    if not entry:
        raise MetadataMalformed("authentication type")
    first, rest = entry[0], entry[1:]
    if first & 0x80:
        if first & 0x7F == _BEARER:
            return rest
        raise AuthenticationUnsupported
    # A type by its name. Authentication.md leaves open whether its length is stored less one, and both are met.
    for length in (first, first + 1):
        if rest[:length] == b"bearer":
            return rest[length:]
    if len(rest) < first:
        raise MetadataMalformed("authentication type")
    raise AuthenticationUnsupported
