"""Door: HTTP: /api/members/me/tokens: tokens for a member's own programs."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from aiohttp import web

from db.bot_token import PREFIX, BotTokenUnknown, check_name, check_scopes, hash_bot_token
from routes.access import Who
from routes.doors import HttpDoor
from routes.middleware import BEARER, answer, read_body
from routes.wire_bots import AskToken, NewToken, TokenList, TokenView

if TYPE_CHECKING:
    from db.bot_token import BotToken
    from db.bot_tokens import BotTokens

TOKEN_BYTES: Final = 32
"""Random bytes of a token: 256 bits, so that a fast hash may keep it."""

_ID_DIGITS_MAX: Final = 18  # So many digits always fit a bigint.


class BotTokenDoors:
    """The doors of bot tokens."""

    def __init__(self, bot_tokens: BotTokens) -> None:
        self._bot_tokens = bot_tokens

    def doors(self) -> list[HttpDoor]:
        """List the doors."""
        return [
            HttpDoor(
                method="POST",
                path="/api/members/me/tokens",
                who=Who.MEMBER,
                handle=self._add,
                words="A token for a program of one's own, shown this once.",
                body=AskToken,
                answer=NewToken,
                status=201,
                lasting=True,
            ),
            HttpDoor(
                method="GET",
                path="/api/members/me/tokens",
                who=Who.MEMBER,
                handle=self._list,
                words="One's living tokens, without the tokens themselves.",
                answer=TokenList,
            ),
            HttpDoor(
                method="DELETE",
                path="/api/members/me/tokens",
                who=Who.MEMBER,
                handle=self._revoke_all,
                words="Revoke all of them; their connections end.",
                status=204,
            ),
            HttpDoor(
                method="DELETE",
                path="/api/members/me/tokens/{id}",
                who=Who.MEMBER,
                handle=self._revoke,
                words="Revoke one; its connections end.",
                status=204,
            ),
        ]

    async def _add(self, request: web.Request) -> web.StreamResponse:
        body = await read_body(request, AskToken)
        token = f"{PREFIX}{secrets.token_urlsafe(TOKEN_BYTES)}"
        added = await self._bot_tokens.add(
            request[BEARER].member_id,
            name=check_name(body.name),
            scopes=check_scopes(body.scopes),
            token_hash=hash_bot_token(token),
        )
        return answer(NewToken(id=added.id, name=added.name, scopes=sorted(added.scopes), token=token), status=201)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        found = await self._bot_tokens.list(request[BEARER].member_id)
        return answer(TokenList(tokens=[token_view(each) for each in found]))

    async def _revoke_all(self, request: web.Request) -> web.StreamResponse:
        await self._bot_tokens.revoke_all(request[BEARER].member_id)
        return web.Response(status=204)

    async def _revoke(self, request: web.Request) -> web.StreamResponse:
        number = request.match_info["id"]
        if not (number.isascii() and number.isdigit() and len(number) <= _ID_DIGITS_MAX):
            raise BotTokenUnknown
        await self._bot_tokens.revoke(request[BEARER].member_id, int(number))
        return web.Response(status=204)


def token_view(token: BotToken) -> TokenView:
    """Show a token to its owner, without the token itself."""
    return TokenView(
        id=token.id,
        name=token.name,
        scopes=sorted(token.scopes),
        created_at=token.created_at,
        used_at=token.used_at,
    )
