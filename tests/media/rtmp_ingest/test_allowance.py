import pytest

from media.rtmp_ingest.allowance import (
    UNPUBLISHED_BYTES_MAX,
    UNPUBLISHED_CHUNKS_MAX,
    UNPUBLISHED_MESSAGES_MAX,
    Allowance,
    TooManyUnpublishedBytes,
    TooMuchUnpublishedWork,
)


def test_bytes_end_at_their_limit_and_begin_anew():
    allowance = Allowance()
    allowance.spend_bytes(UNPUBLISHED_BYTES_MAX)
    with pytest.raises(TooManyUnpublishedBytes, match=str(UNPUBLISHED_BYTES_MAX)):
        allowance.spend_bytes(1)
    allowance.renew(0)
    allowance.spend_bytes(UNPUBLISHED_BYTES_MAX)


def test_messages_end_at_their_limit_and_begin_anew():
    allowance = Allowance()
    for _ in range(UNPUBLISHED_MESSAGES_MAX):
        allowance.spend_message()
    with pytest.raises(TooMuchUnpublishedWork, match=str(UNPUBLISHED_MESSAGES_MAX)):
        allowance.spend_message()
    allowance.renew(0)
    allowance.spend_message()


def test_chunks_count_from_the_last_renewal():
    allowance = Allowance()
    allowance.check_chunks(UNPUBLISHED_CHUNKS_MAX)
    with pytest.raises(TooMuchUnpublishedWork, match=str(UNPUBLISHED_CHUNKS_MAX)):
        allowance.check_chunks(UNPUBLISHED_CHUNKS_MAX + 1)
    allowance.renew(1)
    allowance.check_chunks(UNPUBLISHED_CHUNKS_MAX + 1)
