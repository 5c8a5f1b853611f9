from __future__ import annotations

import pytest

from media.rtmp_ingest.publishers import TAKEN, Limits


def test_limits_keep_their_order():
    with pytest.raises(AssertionError):
        Limits(strangers_by_address_max=9, strangers_max=8)
    with pytest.raises(AssertionError):
        Limits(strangers_max=2000)


async def test_taken_may_be_awaited_again_and_again():
    for _ in range(2):
        assert await TAKEN is None
