"""Core: a login as its member may see it, and whether it has only just begun."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

# Who typed the password so lately need not type it again before leaving for good.
FRESH_SECONDS = 600.0


class LoginError(Exception):
    """A login that is not there."""


class LoginUnknown(LoginError):
    """The member has no such login, or it is over."""

    def __str__(self) -> str:
        return "no such login"


@dataclass(frozen=True, slots=True)
class Login:
    """One device that stays logged in.

    Attributes:
        name: tells it from others without giving its token away.
        device: browser and system, parted by a slash; each may be empty.
        began_at: when the password was typed.
        used_at: when it last asked for a new access token.
    """

    name: str
    device: str
    began_at: datetime
    used_at: datetime

    def is_fresh(self, now: datetime) -> bool:
        """Tell whether the password was typed within FRESH_SECONDS."""
        return (now - self.began_at).total_seconds() <= FRESH_SECONDS
