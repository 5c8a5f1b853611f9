from __future__ import annotations

import pytest

from media.hls_writer import errors


@pytest.mark.parametrize(
    ("error", "family", "words"),
    [
        (errors.NoSuchRendition("999p"), errors.AskError, "no rendition '999p'"),
        (errors.NotListed("x_p1.m4s"), errors.AskError, "'x_p1.m4s' is not listed"),
        (errors.PartWithoutMsn(3), errors.AskError, "part 3 of which segment?"),
        (errors.TooFarAhead(9, None), errors.AskError, "segment 9, part None is too far ahead"),
        (errors.TimedOut(9.0), errors.NotYet, "nothing new within 9 s"),
    ],
)
def test_each_error_has_its_family_and_its_words(error, family, words):
    assert isinstance(error, family)
    assert isinstance(error, errors.HlsError)
    assert words == str(error)
