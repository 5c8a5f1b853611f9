from __future__ import annotations

import pytest

from media.encoder_budget import (
    CORRECTION_MAX,
    OVERLOADS_MAX,
    SHARE_ADMITTED,
    SHARE_MAX,
    EncoderBudget,
    estimate,
)
from media.ffmpeg_args import rungs
from media.flv import Codec
from media.hls_writer.tracks import VideoTrack

HD = VideoTrack(Codec.AVC, b"", 1280, 720, "avc1.64001F")
FULL_HD = VideoTrack(Codec.HEVC, b"", 1920, 1080, "hvc1")
LADDER = rungs(("480p", "360p", "160p"), HD.width, HD.height)


def names(ladder) -> list[str]:
    return [rung.name for rung in ladder]


def admit_all(budget: EncoderBudget, count: int) -> list[list[str]]:
    return [names(budget.admit(key, HD, LADDER)) for key in range(count)]


def test_the_estimate_is_near_what_real_commands_cost():
    """Measured: 0.29 and 0.36 of a core for the ladder, 0.11 and 0.16 for 360p, 0.52 for 720p out of HEVC."""
    assert 0.25 < estimate(HD, LADDER) < 0.40
    assert 0.08 < estimate(HD, LADDER[1:2]) < 0.20
    assert 0.4 < estimate(FULL_HD, rungs(("720p",), 1920, 1080)) < 0.8


def test_broadcasts_are_admitted_until_the_machine_is_full_and_the_last_one_gets_less():
    budget = EncoderBudget(1.9)
    admitted = admit_all(budget, 8)

    assert admitted[0] == names(LADDER)
    assert admitted[-1] == []
    assert [len(ladder) for ladder in admitted] == sorted((len(ladder) for ladder in admitted), reverse=True)
    assert budget.used <= 1.9 * SHARE_ADMITTED
    partly = next(ladder for ladder in admitted if 0 < len(ladder) < len(LADDER))
    assert partly == names(LADDER)[-len(partly) :]  # the largest went first


def test_what_it_really_costs_decides_over_the_next_one():
    cheap, dear = EncoderBudget(2.0), EncoderBudget(2.0)
    for budget, cores in ((cheap, 0.1), (dear, 0.9)):
        budget.admit(0, HD, LADDER)
        budget.measured(0, cores)

    assert len(admit_all(cheap, 8)[-1]) == len(LADDER)
    assert names(dear.admit(1, HD, LADDER)) != names(LADDER)
    assert dear.used <= 2.0 * SHARE_MAX


def test_room_that_is_given_back_can_be_had_again():
    budget = EncoderBudget(0.5)
    assert names(budget.admit(1, HD, LADDER)) == names(LADDER)
    assert names(budget.admit(2, HD, LADDER)) != names(LADDER)
    budget.release(1)
    budget.release(2)
    budget.release(3)

    assert budget.used == 0
    assert names(budget.admit(4, HD, LADDER)) == names(LADDER)


def test_what_is_too_much_for_a_while_is_given_back_by_the_newest():
    budget = EncoderBudget(2.0)
    admit_all(budget, 2)
    budget.measured(0, 1.2)
    budget.measured(1, 0.7)

    assert [budget.too_much() for _ in range(OVERLOADS_MAX)] == [None] * (OVERLOADS_MAX - 1) + [1]
    # It takes a moment until that shows.
    assert [budget.too_much() for _ in range(OVERLOADS_MAX)] == [None] * (OVERLOADS_MAX - 1) + [1]
    budget.measured(1, 0.1)
    assert [budget.too_much() for _ in range(5)] == [None] * 5


def test_one_jump_is_no_overload():
    budget = EncoderBudget(2.0)
    admit_all(budget, 1)
    for _ in range(5):
        budget.measured(0, 1.9)
        assert budget.too_much() is None
        budget.measured(0, 0.3)
        assert budget.too_much() is None


def test_nobody_runs_nobody_gives_back():
    budget = EncoderBudget(0.0)

    assert [budget.too_much() for _ in range(5)] == [None] * 5
    assert budget.admit(1, HD, LADDER) == []
    budget.measured(1, 1.0)
    assert budget.used == 0


@pytest.mark.parametrize(("cores", "factor"), [(0.0, 0.25), (1000.0, CORRECTION_MAX)])
def test_a_strange_figure_moves_the_estimate_only_so_far(cores, factor):
    budget = EncoderBudget(1e9)
    budget.admit(0, HD, LADDER)
    budget.measured(0, cores)
    before = budget.used
    budget.admit(1, HD, LADDER)

    assert budget.used - before == pytest.approx(factor * estimate(HD, LADDER))
