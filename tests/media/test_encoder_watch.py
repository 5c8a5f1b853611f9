from __future__ import annotations

from media.encoder_watch import STALL_PICTURES, STALL_SECONDS, EncoderWatch


def feed(watch: EncoderWatch, pictures: int, *, now: float = 0.0) -> None:
    for _ in range(pictures):
        watch.given(now)


def test_who_gives_nothing_of_what_it_takes_is_stalled_after_a_while():
    watch = EncoderWatch(["480p"])
    assert watch.stalled(1000.0) is None  # nothing in, nothing out
    feed(watch, STALL_PICTURES)

    assert watch.stalled(STALL_SECONDS - 0.1) is None
    assert watch.stalled(STALL_SECONDS) == "480p"


def test_one_rung_of_several_is_enough():
    watch = EncoderWatch(["480p", "160p"])
    for second in range(20):
        feed(watch, 30, now=float(second))
        watch.got("480p")

    assert watch.stalled(20.0) == "160p"


def test_each_picture_that_comes_out_begins_the_time_anew():
    watch = EncoderWatch(["480p"])
    for second in range(20):
        feed(watch, 30, now=float(second))
        assert watch.stalled(float(second)) is None
        watch.got("480p")


def test_few_pictures_may_be_inside_for_as_long_as_they_like():
    watch = EncoderWatch(["480p"])
    feed(watch, STALL_PICTURES - 1)

    assert watch.stalled(1000.0) is None
