from dataclasses import replace

from media.health_history import SAMPLES_MAX, HealthHistory, Stretch
from tests.media.test_verdicts import WELL


def test_a_sample_is_what_the_encoder_sends_and_how_many_watch():
    history = HealthHistory()
    history.add(WELL, 7)

    assert history.since(0) == Stretch(
        first=0, viewers=(7,), kilobits=(4160,), frames=(30,), keyframe_seconds=(WELL.picture.keyframe_seconds,)
    )
    assert history.next == 1


def test_what_is_not_known_is_a_gap():
    history = HealthHistory()
    history.add(None, 7)
    history.add(WELL, None)
    history.add(replace(WELL, picture=None), 0)
    history.add(
        replace(WELL, sound=None, picture=replace(WELL.picture, frames_a_second=None, keyframe_seconds=None)), 0
    )

    assert history.since(0) == Stretch(
        first=0,
        viewers=(7, None, 0, 0),
        kilobits=(None, 4160, 160, 4000),
        frames=(None, 30, None, None),
        keyframe_seconds=(None, 2, None, None),
    )


def test_the_newest_are_kept_and_keep_their_numbers():
    history = HealthHistory()
    for number in range(SAMPLES_MAX):
        history.add(None, number)
    assert (history.since(0).first, len(history.since(0).viewers)) == (0, SAMPLES_MAX)

    history.add(None, SAMPLES_MAX)
    kept = history.since(0)

    assert (kept.first, len(kept.viewers), history.next) == (1, SAMPLES_MAX, SAMPLES_MAX + 1)
    assert (kept.viewers[0], kept.viewers[-1]) == (1, SAMPLES_MAX)


def test_from_a_number_on():
    history = HealthHistory()
    for number in range(SAMPLES_MAX + 5):
        history.add(None, number)
    last = SAMPLES_MAX + 4

    assert history.since(last) == Stretch(last, (last,), (None,), (None,), (None,))
    assert history.since(last + 1) == Stretch(last + 1, (), (), (), ())
    assert history.since(10**9) == Stretch(last + 1, (), (), (), ())
    assert history.since(-3).first == 5
