from __future__ import annotations

import pytest

from media.broadcast import (
    CLEAN_GRACE_SECONDS,
    FIRST_MEDIA_SECONDS_MAX,
    GRACE_SECONDS,
    KICK_SECONDS,
    SILENT_SECONDS_MAX,
    TABLE,
    TAKEOVER_QUIET_SECONDS,
    AlreadyLive,
    Broadcast,
    Happening,
    Kicked,
    Over,
    State,
)

TICK = 0.05


def live(now: float = 0.0) -> Broadcast:
    broadcast = Broadcast()
    assert broadcast.began(broadcast.publish(now), now)
    return broadcast


def test_the_table_reaches_the_end_from_everywhere_and_leaves_it_never():
    assert {} == TABLE[State.ENDED]
    for state in State:
        if state is not State.ENDED:
            assert TABLE[state][Happening.STOPPED] is State.ENDED


def test_a_life():
    broadcast = Broadcast()
    assert (broadcast.state, broadcast.owned) == (State.ANNOUNCED, False)

    owner = broadcast.publish(100.0)
    assert (broadcast.state, broadcast.owned) == (State.ANNOUNCED, True)
    assert broadcast.began(owner, 101.0)
    assert broadcast.state is State.LIVE
    broadcast.lost(owner, 110.0, clean=False)
    assert broadcast.state is State.INTERRUPTED

    again = broadcast.publish(115.0)
    assert broadcast.state is State.INTERRUPTED
    assert broadcast.began(again, 116.0)
    assert broadcast.state is State.LIVE
    broadcast.lost(again, 120.0, clean=True)
    broadcast.tick(120.0 + CLEAN_GRACE_SECONDS)
    assert broadcast.state is State.ENDED


@pytest.mark.parametrize(("clean", "seconds"), [(False, GRACE_SECONDS), (True, CLEAN_GRACE_SECONDS)])
def test_the_grace_ends_to_the_moment(clean, seconds):
    broadcast = live()
    broadcast.lost(1, 5.0, clean=clean)
    broadcast.tick(5.0 + seconds - TICK)
    assert broadcast.state is State.INTERRUPTED
    broadcast.tick(5.0 + seconds)
    assert broadcast.state is State.ENDED


def test_a_short_grace_shortens_the_clean_one_too():
    broadcast = Broadcast(grace_seconds=2.0)
    broadcast.began(broadcast.publish(0.0), 0.0)
    broadcast.lost(1, 0.0, clean=True)

    broadcast.tick(2.0 - TICK)
    assert broadcast.state is State.INTERRUPTED
    broadcast.tick(2.0)
    assert broadcast.state is State.ENDED


@pytest.mark.parametrize("state", [State.ANNOUNCED, State.LIVE])
def test_a_newcomer_wins_only_when_the_first_has_been_quiet(state):
    broadcast = Broadcast()
    owner = broadcast.publish(0.0)
    if state is State.LIVE:
        broadcast.began(owner, 0.0)
    with pytest.raises(AlreadyLive) as refused:
        broadcast.publish(TAKEOVER_QUIET_SECONDS - TICK)
    assert refused.value.quiet_seconds == TAKEOVER_QUIET_SECONDS - TICK
    assert "already live" in str(refused.value)
    assert broadcast.state is state

    newcomer = broadcast.publish(TAKEOVER_QUIET_SECONDS)
    assert newcomer != owner
    assert broadcast.state is (State.INTERRUPTED if state is State.LIVE else State.ANNOUNCED)
    assert broadcast.began(newcomer, 2.0)
    assert broadcast.state is State.LIVE


def test_what_an_earlier_owner_sends_or_says_does_not_count():
    broadcast = live()
    newcomer = broadcast.publish(2.0)
    broadcast.began(newcomer, 2.0)

    assert not broadcast.media(1, 3.0)
    assert not broadcast.began(1, 3.0)
    broadcast.lost(1, 3.0, clean=True)
    assert broadcast.state is State.LIVE
    assert broadcast.media(newcomer, 3.0)


def test_media_keeps_a_newcomer_out():
    broadcast = live()
    for index in range(100):
        assert broadcast.media(1, index * 0.5)
    with pytest.raises(AlreadyLive):
        broadcast.publish(50.0)


def test_a_newcomer_that_leaves_before_its_first_frame_changes_no_grace():
    broadcast = live()
    broadcast.lost(1, 0.0, clean=False)
    newcomer = broadcast.publish(5.0)
    broadcast.lost(newcomer, 6.0, clean=False)
    broadcast.lost(newcomer, 7.0, clean=False)

    broadcast.tick(GRACE_SECONDS - TICK)
    assert broadcast.state is State.INTERRUPTED
    broadcast.tick(GRACE_SECONDS)
    assert broadcast.state is State.ENDED


def test_a_silent_publisher_is_lost():
    broadcast = live()
    broadcast.tick(SILENT_SECONDS_MAX - TICK)
    assert broadcast.state is State.LIVE
    broadcast.tick(SILENT_SECONDS_MAX)
    assert (broadcast.state, broadcast.owned) == (State.INTERRUPTED, False)
    assert not broadcast.media(1, SILENT_SECONDS_MAX)


def test_a_publisher_that_never_begins_ends_what_was_announced():
    broadcast = Broadcast()
    broadcast.publish(0.0)
    broadcast.tick(FIRST_MEDIA_SECONDS_MAX - TICK)
    assert broadcast.state is State.ANNOUNCED
    broadcast.tick(FIRST_MEDIA_SECONDS_MAX)
    assert broadcast.state is State.ENDED


def test_the_grace_runs_on_while_a_newcomer_has_not_begun():
    broadcast = live()
    broadcast.lost(1, 0.0, clean=False)
    broadcast.publish(GRACE_SECONDS - 1)
    broadcast.tick(GRACE_SECONDS)
    assert broadcast.state is State.ENDED


def test_who_was_kicked_is_kept_out_for_a_while_and_the_broadcast_waits():
    broadcast = live()
    broadcast.kick(5.0)
    assert (broadcast.state, broadcast.owned, broadcast.media(1, 5.0)) == (State.INTERRUPTED, False, False)
    with pytest.raises(Kicked, match="try again in 1 s"):
        broadcast.publish(5.0 + KICK_SECONDS - 1)

    assert broadcast.began(broadcast.publish(5.0 + KICK_SECONDS), 5.0 + KICK_SECONDS)
    assert broadcast.state is State.LIVE


def test_what_another_process_had_on_air_waits_for_its_publisher():
    broadcast = Broadcast()
    broadcast.resume(100.0)
    broadcast.tick(100.0 + GRACE_SECONDS - TICK)
    assert (broadcast.state, broadcast.owned) == (State.INTERRUPTED, False)
    assert broadcast.began(broadcast.publish(101.0), 102.0)
    assert broadcast.state is State.LIVE


@pytest.mark.parametrize("prepare", [lambda _: None, lambda each: each.lost(1, 0.0, clean=False)])
def test_it_can_be_stopped_at_any_time_and_is_over(prepare):
    broadcast = live()
    prepare(broadcast)
    broadcast.stop()
    broadcast.stop()

    assert (broadcast.state, broadcast.owned, broadcast.media(1, 0.0)) == (State.ENDED, False, False)
    with pytest.raises(Over, match="has ended"):
        broadcast.publish(1.0)
