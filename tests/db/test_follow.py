from db.follow import FOLLOWS_MAX, FollowError, FollowSelf, FollowsTooMany


def test_both_refusals_are_one_family_and_say_what_is_wrong():
    assert issubclass(FollowSelf, FollowError)
    assert issubclass(FollowsTooMany, FollowError)
    assert str(FollowSelf()) == "one's own channel"
    assert str(FollowsTooMany()) == f"at most {FOLLOWS_MAX} channels"
