from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from db import conduct
from db.conduct import (
    Banned,
    Case,
    FollowersOnly,
    Muted,
    Rules,
    RuleShape,
    Standing,
    WordsBlocked,
    check_rules,
    fold,
)

AT = datetime(2026, 11, 26, 12, tzinfo=UTC)
OWNER, MODERATOR = Standing(owner=True), Standing(moderator=True)


def _case(standing=None, **rules):
    return Case(at=AT, rules=Rules(**rules), standing=standing or Standing())


def test_where_nothing_is_asked_everybody_speaks():
    _case().check("hello https://example.com")


def test_a_ban_is_told_before_a_mute():
    until = AT + timedelta(seconds=90)

    with pytest.raises(Muted) as muted:
        _case(Standing(muted_until=until)).check("hi")
    with pytest.raises(Banned, match="banned"):
        _case(Standing(muted_until=until, banned=True)).check("hi")

    assert muted.value.retry_after_ms == 90_000
    assert "90000" in str(muted.value)


def test_a_mute_ends_at_its_moment():
    until = AT + timedelta(seconds=1)

    Case(at=until, standing=Standing(muted_until=until)).check("hi")


def test_followers_speak_after_their_minutes():
    since = AT - timedelta(minutes=9)

    with pytest.raises(FollowersOnly, match="followers only") as stranger:
        _case(followers_only_minutes=0).check("hi")
    with pytest.raises(FollowersOnly) as fresh:
        _case(Standing(follows_since=since), followers_only_minutes=10).check("hi")
    _case(Standing(follows_since=since), followers_only_minutes=9).check("hi")
    _case(Standing(follows_since=AT), followers_only_minutes=0).check("hi")

    assert stranger.value.retry_after_ms is None
    assert fresh.value.retry_after_ms == 60_000


@pytest.mark.parametrize(
    ("words", "text", "is_blocked"),
    [
        (("ass",), "a class act", False),
        (("ass",), "what an ASS!", True),
        (("ass",), "what an a\u200bss", True),
        (("나쁜말",), "이런나쁜말이", True),
        (("나쁜말",), "이런 나쁜 말이", False),
        (("bad word",), "a bad word here", True),
        (("ﬁsh",), "FISH", True),
        (("a.c",), "abc", False),
    ],
)
def test_blocked_words_are_found_as_they_read(words, text, is_blocked):
    case = Case(at=AT, rules=check_rules(Rules(blocked_words=words)))

    if is_blocked:
        with pytest.raises(WordsBlocked, match="blocked"):
            case.check(text)
    else:
        case.check(text)


@pytest.mark.parametrize(
    "text", ["see https://x.y/z", "www.example.org", "go to example.com now", "ＥＸＡＭＰＬＥ.com/a", "a.b.kr"]
)
def test_links_are_found_as_people_write_them(text):
    with pytest.raises(WordsBlocked):
        _case(blocked_links=True).check(text)


@pytest.mark.parametrize("text", ["no.", "3.14", "e.g. this", "file.txt", "wait...what", "다음.네이버"])
def test_what_is_no_link_passes(text):
    _case(blocked_links=True).check(text)


@pytest.mark.parametrize("standing", [OWNER, MODERATOR])
def test_owner_and_moderators_keep_the_rules_and_need_not_obey_them(standing):
    case = _case(standing, slow_seconds=9, followers_only_minutes=9, blocked_links=True, blocked_words=("x",))

    case.check("x https://example.com")
    assert case.slow_seconds == 0
    assert replace(case, standing=Standing()).slow_seconds == 9


def test_a_banned_moderator_moderates_no_more():
    banned = replace(MODERATOR, banned=True)

    assert not banned.moderates
    with pytest.raises(Banned):
        _case(banned).check("hi")


def test_a_gift_needs_no_following_but_decent_words():
    _case(followers_only_minutes=5).check_gift("for the fish")
    for standing, words, error in (
        (Standing(banned=True), "", Banned),
        (Standing(muted_until=AT + timedelta(1)), "", Muted),
        (Standing(), "x", WordsBlocked),
    ):
        with pytest.raises(error):
            _case(standing, blocked_words=("x",)).check_gift(words)


def test_roles_are_what_one_is_here():
    assert Standing().roles == frozenset()
    assert replace(OWNER, follows_since=AT).roles == {"owner", "follower"}
    assert MODERATOR.roles == {"moderator"}


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        (Rules(slow_seconds=-1), "slow_seconds"),
        (Rules(slow_seconds=conduct.SLOW_SECONDS_MAX + 1), "slow_seconds"),
        (Rules(followers_only_minutes=-1), "followers_only_minutes"),
        (Rules(followers_only_minutes=conduct.FOLLOWERS_MINUTES_MAX + 1), "followers_only_minutes"),
        (Rules(blocked_words=("x" * (conduct.BLOCKED_WORD_CHARACTERS_MAX + 1),)), "blocked_words"),
        (Rules(blocked_words=tuple(map(str, range(conduct.BLOCKED_WORDS_MAX + 1)))), "blocked_words"),
    ],
)
def test_rules_have_bounds(rules, field):
    with pytest.raises(RuleShape, match=field) as refused:
        check_rules(rules)

    assert refused.value.field == field


def test_rules_at_their_bounds_are_kept_and_words_are_folded_once():
    kept = check_rules(
        Rules(
            slow_seconds=conduct.SLOW_SECONDS_MAX,
            followers_only_minutes=conduct.FOLLOWERS_MINUTES_MAX,
            blocked_words=("  Bad  Word ", "bad word", "", "x" * conduct.BLOCKED_WORD_CHARACTERS_MAX),
        )
    )

    assert kept.blocked_words == ("bad word", "x" * conduct.BLOCKED_WORD_CHARACTERS_MAX)
    assert fold("ＡÉ\u200d") == "aé"
