import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from db import acts as module
from db.act import Act, Action, ModeratorsTooMany
from db.acts import Acts
from db.conduct import NO_RULES, Rules, Standing
from db.follows import Follows

UNTIL = datetime(2099, 1, 1, tzinfo=UTC)


@pytest.fixture
def acts(pool):
    return Acts(pool)


@pytest.fixture
async def three(people):
    owner, moderator, viewer = await people(3)
    return owner, moderator, viewer


def _act(owner, action, target=None, **more):
    return Act(channel_id=owner, actor_id=owner, action=action, target_id=target, **more)


async def test_who_has_done_nothing_stands_well(acts, three):
    owner, _, viewer = three

    assert await acts.standing(owner, viewer) == Standing()
    assert await acts.standing(owner, owner) == Standing(owner=True)
    assert await acts.rules(owner) == NO_RULES


async def test_many_standings_are_read_in_one_query_in_the_order_they_are_wanted(acts, three, pool):
    owner, moderator, viewer = three
    await acts.do(_act(owner, Action.GRANT, moderator))
    await acts.do(_act(owner, Action.MUTE, viewer, until=UNTIL))
    await Follows(pool).add(viewer, owner)
    wanted = [(owner, viewer), (viewer, owner), (owner, owner), (owner, moderator), (owner, 2**62), (owner, viewer)]

    muted, *others, again = await acts.standings(wanted)

    assert others == [Standing(), Standing(owner=True), Standing(moderator=True), Standing()]
    assert muted == again == Standing(muted_until=UNTIL, follows_since=muted.follows_since)
    assert muted.follows_since is not None
    assert await acts.standings([]) == []


@pytest.mark.parametrize(
    ("action", "undo", "more", "standing"),
    [
        (Action.MUTE, Action.UNMUTE, {"until": UNTIL}, Standing(muted_until=UNTIL)),
        (Action.BAN, Action.UNBAN, {}, Standing(banned=True)),
        (Action.GRANT, Action.REVOKE, {}, Standing(moderator=True)),
    ],
)
async def test_what_is_done_holds_until_it_is_undone_and_may_be_done_twice(acts, three, action, undo, more, standing):
    owner, _, viewer = three
    for _ in range(2):
        await acts.do(_act(owner, action, viewer, **more))
        assert await acts.standing(owner, viewer) == standing

    for _ in range(2):
        await acts.do(_act(owner, undo, viewer))
        assert await acts.standing(owner, viewer) == Standing()


async def test_a_ban_and_a_mute_stand_beside_each_other(acts, three):
    owner, _, viewer = three
    await acts.do(_act(owner, Action.MUTE, viewer, until=UNTIL))
    await acts.do(_act(owner, Action.BAN, viewer))

    await acts.do(_act(owner, Action.UNBAN, viewer))

    assert await acts.standing(owner, viewer) == Standing(muted_until=UNTIL)


async def test_what_is_done_in_one_channel_is_done_there_alone(acts, three, pool):
    owner, other, viewer = three
    await acts.do(_act(owner, Action.BAN, viewer))
    await Follows(pool).add(viewer, owner)

    assert await acts.standing(other, viewer) == Standing()
    assert (await acts.standing(owner, viewer)).follows_since is not None


async def test_slow_mode_and_notice_change_their_own_rule_only(acts, three):
    owner, *_ = three
    await acts.change_rules(owner, owner, lambda rules: replace(rules, members_only=True, blocked_words=("x",)))

    await acts.do(_act(owner, Action.SLOW, seconds=5))
    await acts.do(_act(owner, Action.PIN, words="be kind"))

    assert await acts.rules(owner) == Rules(slow_seconds=5, members_only=True, blocked_words=("x",), pinned="be kind")
    await acts.do(_act(owner, Action.SLOW, seconds=0))
    assert (await acts.rules(owner)).slow_seconds == 0


async def test_the_trail_has_everything_newest_first_page_by_page(acts, three, pool):
    owner, moderator, viewer = three
    names = {row["id"]: row["nickname"] for row in await pool.fetch("SELECT id, nickname FROM member")}
    await acts.do(_act(owner, Action.GRANT, moderator, reason="she is kind"))
    muted = _act(owner, Action.MUTE, viewer, until=UNTIL, seconds=60, reason="spam")
    await acts.do(replace(muted, actor_id=moderator))
    await acts.do(_act(owner, Action.REMOVE, viewer, seqs=(3, 4), words="buy\nbuy"))
    await acts.change_rules(owner, owner, lambda rules: replace(rules, slow_seconds=3, blocked_words=("hush",)))
    await acts.change_rules(owner, owner, lambda rules: rules)

    rules, removed, muted, granted = await acts.log(owner, before=None)

    assert (rules.action, rules.words, rules.target) == ("rules", "slow_seconds=3, blocked_words", None)
    assert (removed.seqs, removed.words, removed.target) == ((3, 4), "buy\nbuy", names[viewer])
    assert (muted.actor, muted.action, muted.until, muted.seconds) == (names[moderator], "mute", UNTIL, 60)
    assert (muted.reason, granted.reason) == ("spam", "she is kind")
    assert datetime.now(UTC) - granted.at < timedelta(minutes=1)
    assert [each.id for each in await acts.log(owner, before=removed.id, limit=1)] == [muted.id]
    assert await acts.log(moderator, before=None) == []


async def test_the_trail_cannot_be_rewritten(acts, three, pool):
    owner, _, viewer = three
    await acts.do(_act(owner, Action.BAN, viewer, words="bad"))

    for statement in (
        "UPDATE moderation_act SET reason = 'another'",
        "UPDATE moderation_act SET actor_id = target_id",
        "DELETE FROM moderation_act",
        "TRUNCATE moderation_act",
    ):
        with pytest.raises(asyncpg.RaiseError, match="stays written"):
            await pool.execute(statement)
    await pool.execute("UPDATE moderation_act SET words = ''")


async def test_one_moderator_too_many_is_refused_and_nothing_is_written(acts, people, monkeypatch):
    monkeypatch.setattr(module, "MODERATORS_MAX", 2)
    owner, *others = await people(4)
    for each in others[:2]:
        await acts.do(_act(owner, Action.GRANT, each))

    await acts.do(_act(owner, Action.GRANT, others[0]))
    with pytest.raises(ModeratorsTooMany):
        await acts.do(_act(owner, Action.GRANT, others[2]))

    assert len(await acts.moderators(owner)) == 2
    assert len(await acts.log(owner, before=None)) == 3


async def test_long_words_are_cut_and_a_rule_that_is_refused_changes_nothing(acts, three):
    owner, *_ = three
    await acts.do(_act(owner, Action.REMOVE, words="x" * 10_000))

    def refuse(_rules):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await acts.change_rules(owner, owner, refuse)

    (entry,) = await acts.log(owner, before=None)
    assert len(entry.words) == module.WORDS_CHARACTERS_MAX
    assert await acts.rules(owner) == NO_RULES


async def test_two_who_change_the_rules_at_once_lose_nothing(acts, three):
    owner, *_ = three
    await asyncio.gather(
        acts.do(_act(owner, Action.SLOW, seconds=7)),
        acts.do(_act(owner, Action.PIN, words="hello")),
        acts.change_rules(owner, owner, lambda rules: replace(rules, members_only=True)),
        acts.change_rules(owner, owner, lambda rules: replace(rules, blocked_links=True)),
    )

    assert await acts.rules(owner) == Rules(slow_seconds=7, members_only=True, blocked_links=True, pinned="hello")


async def test_where_one_moderates_and_whose_lines_are_above(acts, pool, three, monkeypatch):
    owner, moderator, viewer = three
    assert await acts.moderates(moderator) == []
    await acts.do(_act(owner, Action.GRANT, moderator))
    await acts.do(_act(viewer, Action.GRANT, moderator))
    names = [await pool.fetchval("SELECT nickname FROM member WHERE id = $1", each) for each in (viewer, owner)]

    assert await acts.moderates(moderator) == names
    assert await acts.moderates(owner) == []
    assert await acts.above(owner) == {owner, moderator}
    await acts.do(_act(viewer, Action.BAN, moderator))
    assert await acts.moderates(moderator) == names[1:]
    await acts.do(_act(viewer, Action.UNBAN, moderator))
    monkeypatch.setattr(module, "MODERATES_MAX", 1)
    assert await acts.moderates(moderator) == names[:1]


async def test_several_entries_are_written_down_together_or_not_at_all(acts, three):
    owner, moderator, viewer = three
    entries = [_act(owner, Action.REMOVE, each, seqs=(each,), words=str(each)) for each in (moderator, viewer)]

    ids = await acts.write_down(entries)

    assert [entry.id for entry in await acts.log(owner, before=None)] == ids[::-1]
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await acts.write_down([*entries, _act(owner, Action.REMOVE, 10**9)])
    assert len(await acts.log(owner, before=None)) == 2
