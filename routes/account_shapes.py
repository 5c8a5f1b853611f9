"""Core: the words on the wire of a member's own account: logins, password, leaving, and all that is kept of them."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the annotations when a shape is defined.

from msgspec import Struct

from routes.support_shapes import GoalView  # noqa: TC001 - see above.
from routes.wire import Credential  # noqa: TC001 - see above.
from routes.wire_bots import TokenView  # noqa: TC001 - see above.
from routes.wire_conduct import RulesView  # noqa: TC001 - see above.
from routes.wire_emotes import EmoteView  # noqa: TC001 - see above.


class LoginView(Struct, frozen=True):
    """One device that stays logged in; `current` is the one that asks."""

    id: str
    browser: str
    system: str
    began_at: datetime
    used_at: datetime
    current: bool


class LoginList(Struct, frozen=True):
    """GET /api/members/me/logins, the latest used first."""

    logins: list[LoginView]


class ChangePassword(Struct, frozen=True):
    """PUT /api/members/me/password: the one that holds, and the new one.

    Bot tokens and overlay links end too unless `keep_tokens`: whoever was let in by the old one may have made some.
    """

    old_password: Credential
    password: Credential
    keep_tokens: bool = False


class Leave(Struct, frozen=True):
    """DELETE /api/members/me; may be left out within ten minutes of logging in."""

    password: Credential


class ProfileView(Struct, frozen=True):
    """What a member has told of themselves."""

    login_id: str
    nickname: str
    roles: list[str]
    created_at: datetime


class OwnChannel(Struct, frozen=True):
    """What a member's channel says and asks."""

    title: str
    category: str
    tags: list[str]
    rules: RulesView
    moderators: list[str]
    goal: GoalView | None
    emotes: list[EmoteView]


class OwnPoints(Struct, frozen=True):
    """What a member has and was given; `history` and `orders` are where every movement stands."""

    balance: int
    earnings: int
    history: str
    orders: str


class OwnLine(Struct, frozen=True):
    """A chat line of the member's that a room still remembers."""

    channel: str
    text: str
    at: datetime


class Export(Struct, frozen=True):
    """GET /api/members/me/export: what the house keeps of a member."""

    made_at: datetime
    profile: ProfileView
    channel: OwnChannel
    following: list[str]
    points: OwnPoints
    logins: list[LoginView]
    tokens: list[TokenView]
    lines: list[OwnLine]
