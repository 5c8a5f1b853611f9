import pytest

from db import act
from db.act import (
    Action,
    ActShape,
    LinesUnknown,
    ModeratorsTooMany,
    NotModerator,
    TargetMissing,
    Untouchable,
    check_mute,
    check_reason,
    permit,
)
from db.conduct import Standing

OWNER, MODERATOR, VIEWER = Standing(owner=True), Standing(moderator=True), Standing()
EVERYTHING = set(Action)
TO_VIEWERS = EVERYTHING - act.OWNERS_ONLY


def _allowed(actor, target, *, same=False):
    found = set()
    for action in Action:
        try:
            permit(action, actor_id=1, actor=actor, target_id=1 if same else 2, target=target)
        except (NotModerator, Untouchable):
            continue
        found.add(action)
    return found


def test_who_may_do_what_to_whom():
    assert _allowed(OWNER, VIEWER) == EVERYTHING
    assert _allowed(OWNER, MODERATOR) == EVERYTHING
    assert _allowed(MODERATOR, VIEWER) == TO_VIEWERS
    assert _allowed(MODERATOR, MODERATOR) == set()
    assert _allowed(MODERATOR, OWNER) == set()
    assert _allowed(VIEWER, VIEWER) == set()
    assert _allowed(Standing(moderator=True, banned=True), VIEWER) == set()


@pytest.mark.parametrize("actor", [OWNER, MODERATOR])
def test_nobody_acts_on_oneself_but_for_ones_own_lines(actor):
    assert _allowed(actor, actor, same=True) & act.TO_SOMEBODY == set()
    assert Action.REMOVE in _allowed(actor, actor, same=True)


def test_what_is_to_somebody_needs_somebody():
    for action in act.TO_SOMEBODY:
        with pytest.raises(TargetMissing, match="whom"):
            permit(action, actor_id=1, actor=OWNER, target_id=None, target=None)
    permit(Action.SLOW, actor_id=1, actor=MODERATOR, target_id=None, target=None)


def test_a_mute_has_a_length():
    assert check_mute(None) == act.MUTE_SECONDS_DEFAULT
    assert check_mute(1) == 1
    assert check_mute(act.MUTE_SECONDS_MAX) == act.MUTE_SECONDS_MAX
    for seconds in (0, -5, act.MUTE_SECONDS_MAX + 1):
        with pytest.raises(ActShape, match="seconds"):
            check_mute(seconds)


def test_a_reason_is_one_line():
    assert check_reason("  spam\n\n again ") == "spam again"
    assert check_reason("") == ""
    assert check_reason("x" * act.REASON_CHARACTERS_MAX)
    for text in ("x" * (act.REASON_CHARACTERS_MAX + 1), "a\x00b", "\ud800"):
        with pytest.raises(ActShape, match="reason"):
            check_reason(text)


def test_every_refusal_says_why():
    errors = (NotModerator(), Untouchable(), TargetMissing(), LinesUnknown(), ModeratorsTooMany(), ActShape("text"))

    assert all(str(error) for error in errors)
