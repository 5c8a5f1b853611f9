"""Core: one payment of the sandbox, where no money moves: how it stands, and where its customer goes next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from db.order import LIFETIME, Standing

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One payment; `captured_won` is what would have been taken, `canceled_won` what would have been given back."""

    tid: str
    cid: str
    order_id: str
    member_id: str
    item: str
    total_won: int
    vat_won: int
    approval_url: str
    cancel_url: str
    fail_url: str
    standing: Standing
    pg_token: str | None
    phone: str | None
    aid: str | None
    captured_won: int
    canceled_won: int
    created_at: datetime
    approved_at: datetime | None
    canceled_at: datetime | None

    def is_over(self, now: datetime) -> bool:
        """Say whether the customer can do nothing here any more."""
        return self.standing is not Standing.WAITING or now - self.created_at >= LIFETIME

    @property
    def next(self) -> str | None:
        """Where the shop wants its customer now; None while there is something to do here, or nothing anywhere."""
        match self.standing:
            case Standing.AUTHORISED | Standing.CAPTURED:
                assert self.pg_token is not None, "agreed to with a token"
                joint = "&" if urlsplit(self.approval_url).query else "?"
                return f"{self.approval_url}{joint}{urlencode({'pg_token': self.pg_token})}"
            case Standing.QUIT:
                return self.cancel_url
            case Standing.FAILED:
                return self.fail_url
            case _:
                return None
