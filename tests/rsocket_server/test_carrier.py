from __future__ import annotations

from types import SimpleNamespace

import pytest

from rsocket_server.carrier import carrier_of


def test_a_subscriber_without_a_connection_has_no_carrier() -> None:
    assert carrier_of(SimpleNamespace()) == (None, 0)
    assert carrier_of(SimpleNamespace(socket=object(), stream_id=1)) == (None, 0)


@pytest.mark.parametrize("prefix", ["", "_"])
def test_a_stream_and_a_channel_keep_theirs_in_two_ways(prefix: str) -> None:
    connection = SimpleNamespace(attach=None)
    subscriber = SimpleNamespace(**{f"{prefix}socket": connection, f"{prefix}stream_id": 5})

    assert carrier_of(subscriber) == (connection, 5)
