import pytest

from routes.rate_limit import Busy, RateLimit, TooManyTries


def test_a_burst_passes_and_the_next_waits_one_refill():
    limit = RateLimit(burst=5, refill_seconds=10)

    for _ in range(5):
        limit.take("a", 100.0)
    with pytest.raises(TooManyTries, match="10000 ms") as caught:
        limit.take("a", 100.0)

    assert caught.value.retry_after_ms == 10_000
    limit.take("a", 110.0)
    with pytest.raises(TooManyTries):
        limit.take("a", 110.0)


def test_a_refused_try_costs_nothing():
    limit = RateLimit(burst=1, refill_seconds=10)
    limit.take("a", 0.0)

    for _ in range(100):
        with pytest.raises(TooManyTries):
            limit.take("a", 5.0)

    limit.take("a", 10.0)


def test_one_key_does_not_spend_anothers_tries():
    limit = RateLimit(burst=1, refill_seconds=10)

    limit.take("a", 0.0)
    limit.take("b", 0.0)

    with pytest.raises(TooManyTries):
        limit.take("a", 0.0)


def test_a_try_given_back_may_be_spent_again():
    limit = RateLimit(burst=1, refill_seconds=10)
    limit.take("a", 0.0)

    limit.give_back("a")
    limit.give_back("unknown")

    limit.take("a", 0.0)
    with pytest.raises(TooManyTries):
        limit.take("a", 0.0)


def test_the_oldest_key_is_forgotten_at_the_limit():
    limit = RateLimit(burst=1, refill_seconds=10, keys_max=2)
    limit.take("a", 0.0)
    limit.take("b", 0.0)
    with pytest.raises(TooManyTries):
        limit.take("a", 0.0)

    limit.take("c", 0.0)

    limit.take("a", 0.0)
    with pytest.raises(TooManyTries):
        limit.take("c", 0.0)


def test_sums_of_floats_do_not_refuse_the_last_try():
    limit = RateLimit(burst=10, refill_seconds=0.1)

    for _ in range(10):
        limit.take("a", 1_234_567.89)

    with pytest.raises(TooManyTries):
        limit.take("a", 1_234_567.89)


def test_busy_says_when_to_come_again():
    assert "500 ms" in str(Busy(500))
