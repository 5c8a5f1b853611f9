"""Core: an HTTP door as one row of a table; the router, the guard, /openapi.json and PROTOCOL.md all read it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable  # noqa: TC003 - a dataclass's fields are public.
from dataclasses import dataclass
from typing import Any

import msgspec

from routes.access import Who

_PATTERN = re.compile(r"\{([a-z_]+)(?::(?:[^{}]|\{[^{}]*\})+)?\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpDoor:
    """One method of one path.

    Attributes:
        method: GET also answers HEAD, and OPTIONS where `cors`.
        path: as aiohttp writes it, e.g. `/api/channels/{nickname}`.
        who: whom it is for; the guard checks all but OWNER, which the door checks against the channel's row.
        handle: takes the request, gives the response.
        words: what it does, one sentence.
        body: the shape of the JSON body, None for none.
        answer: the shape of the JSON answer, None for none or another kind.
        status: of a success.
        lasting: whether what it does outlives the login it is done with: who shows an access token whose login is over
            is refused, at the price of a look-up.
        cors: whether any site's page may read the answer (playback only; never with a cookie).
    """

    method: str
    path: str
    who: Who
    handle: Callable[[Any], Awaitable[Any]]
    words: str
    body: type[msgspec.Struct] | None = None
    answer: type[msgspec.Struct] | None = None
    status: int = 200
    lasting: bool = False
    cors: bool = False

    @property
    def plain_path(self) -> str:
        """The path without patterns, as documents write it."""
        return _PATTERN.sub(r"{\1}", self.path)


def openapi(doors: Iterable[HttpDoor], version: str) -> dict[str, Any]:
    """Describe the doors as an OpenAPI 3.1 document, from the same table that the router runs on."""
    table = list(doors)
    shapes = [shape for door in table for shape in (door.body, door.answer) if shape is not None]
    _, components = msgspec.json.schema_components(shapes, ref_template="#/components/schemas/{name}")
    paths: dict[str, dict[str, Any]] = {}
    for door in table:
        paths.setdefault(door.plain_path, {})[door.method.lower()] = _operation(door)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Commeow", "version": version},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "commeow_refresh"},
            },
        },
    }


_SECURITY = {Who.MEMBER: "bearer", Who.OWNER: "bearer", Who.COOKIE: "cookie"}


def _operation(door: HttpDoor) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "done"}
    if door.answer is not None:
        success["content"] = {"application/json": {"schema": _reference(door.answer)}}
    operation: dict[str, Any] = {
        "summary": door.words,
        "responses": {
            str(door.status): success,
            "default": {"description": "a problem (RFC 9457)", "content": {"application/problem+json": {}}},
        },
    }
    names = _PATTERN.findall(door.path)
    if names:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ]
    if door.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _reference(door.body)}},
        }
    if door.who in _SECURITY:
        operation["security"] = [{_SECURITY[door.who]: []}]
    return operation


def _reference(shape: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{shape.__name__}"}
