"""Core: what following a channel means, and whose channels may be followed."""

from __future__ import annotations

# Channels of one member: more than anyone watches; a bound, because the list is sent in one answer.
FOLLOWS_MAX = 1000


class FollowError(Exception):
    """A channel that somebody may not follow."""


class FollowSelf(FollowError):
    """Everybody's own channel is theirs already."""

    def __str__(self) -> str:
        return "one's own channel"


class FollowsTooMany(FollowError):
    """A member follows FOLLOWS_MAX channels."""

    def __str__(self) -> str:
        return f"at most {FOLLOWS_MAX} channels"
