from __future__ import annotations

import importlib
import pkgutil

import pytest

import media.rtmp_ingest
from media.rtmp_ingest.errors import (
    AmfError,
    ChunkError,
    HandshakeError,
    MessageError,
    Misuse,
    Refused,
    RtmpError,
    SessionError,
)

FAMILIES = (HandshakeError, ChunkError, AmfError, MessageError, SessionError)


def leaves(error: type[Exception]) -> set[type[Exception]]:
    found = set()
    for child in error.__subclasses__():
        found |= leaves(child) or {child}
    return found


def test_every_fault_of_the_peer_belongs_to_a_family_and_says_why():
    for module in pkgutil.iter_modules(media.rtmp_ingest.__path__):
        importlib.import_module(f"media.rtmp_ingest.{module.name}")
    found = leaves(RtmpError)

    assert len(found) >= 20
    for leaf in found:
        assert issubclass(leaf, FAMILIES), leaf
        assert leaf.__doc__, leaf
        assert "__str__" in vars(leaf), leaf


@pytest.mark.parametrize("family", FAMILIES)
def test_families_are_the_peers_fault(family):
    assert issubclass(family, RtmpError)
    assert not issubclass(family, Refused | Misuse)


def test_a_refusal_carries_the_words_for_the_encoder():
    refused = Refused("NetStream.Publish.BadName", "unknown stream key")

    assert (refused.code, refused.description) == ("NetStream.Publish.BadName", "unknown stream key")
    assert str(refused) == "NetStream.Publish.BadName: unknown stream key"
