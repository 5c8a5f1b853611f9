"""Core: what may move points: a donation's rules, the refusals in words, and what the books say to a person."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

# Whole points only: the smallest donation, and one above which a slip of the finger must be refused.
# settle_donations holds the same two numbers.
POINTS_MIN = 1
POINTS_MAX = 1_000_000
# One sentence on the alert.
MESSAGE_CHARACTERS_MAX = 200

# Ids are multiplied by 16 into account ids, which are 64-bit.
MEMBER_ID_MAX = 2**59 - 1

# The pockets of a member, as in the account table: id = member id * 16 + kind.
WALLET = 1
EARNINGS = 2
ACCOUNT_KINDS = 16
# From here on the accounts are the house's own, which may go below zero.
HOUSE_KIND_MIN = 9
POCKET_NAMES = {WALLET: "wallets", EARNINGS: "earnings", 3: "payouts held", 9: "issued", 10: "paid out", 11: "fees"}

# The kinds of a transfer row, by number and by name.
DONATION = 1
GRANT = 2
REFUND = 5
PAYOUT = 6
PAYOUT_PAID = 7
PAYOUT_RETURNED = 8
TOP_UP = 20
TOP_UP_REFUND = 21
REFUND_UNDONE = 22
KIND_NAMES = {
    DONATION: "donation",
    GRANT: "grant",
    REFUND: "refund",
    PAYOUT: "payout",
    PAYOUT_PAID: "payout_paid",
    PAYOUT_RETURNED: "payout_returned",
    TOP_UP: "top_up",
    TOP_UP_REFUND: "top_up_refund",
    REFUND_UNDONE: "refund_undone",
}


# Why a donation on record was refused, by its status.
REFUSAL_NAMES = {2: "too few points", 3: "no such streamer", 4: "off air"}


class TransferError(Exception):
    """Base of why points do not move. Nothing has moved when one is raised."""


class AmountOutOfRange(TransferError):
    """A donation is 1 to 1,000,000 points; so is a grant."""

    def __init__(self, points: int) -> None:
        super().__init__(points)
        self.points = points

    def __str__(self) -> str:
        return f"{self.points} points are not {POINTS_MIN} to {POINTS_MAX}"


class DonationToSelf(TransferError):
    """Nobody donates to oneself."""

    def __str__(self) -> str:
        return "a donation to oneself"


class MessageTooLong(TransferError):
    """A donation's text is at most 200 characters."""

    def __init__(self, characters: int) -> None:
        super().__init__(characters)
        self.characters = characters

    def __str__(self) -> str:
        return f"text of {self.characters} characters, at most {MESSAGE_CHARACTERS_MAX}"


class MessageShape(TransferError):
    """A donation's text holds a control character or half a surrogate pair, which PostgreSQL cannot keep."""

    def __str__(self) -> str:
        return "the text is not plain text"


class InsufficientPoints(TransferError):
    """The wallet holds fewer points than asked. The id is spent: it is refused for ever, also after a top-up."""

    def __init__(self, points: int) -> None:
        super().__init__(points)
        self.points = points

    def __str__(self) -> str:
        return f"fewer than {self.points} points in the wallet"


class IdReused(TransferError):
    """This member has used the id for another donation: other amount, streamer, text or name shown."""

    def __init__(self, reused: UUID) -> None:
        super().__init__(reused)
        self.id = reused

    def __str__(self) -> str:
        return f"id {self.id} was used for something else"


class StreamerUnknown(TransferError):
    """Nobody to give to."""

    def __init__(self, streamer_id: int) -> None:
        super().__init__(streamer_id)
        self.streamer_id = streamer_id

    def __str__(self) -> str:
        return f"no such streamer: {self.streamer_id}"


class ChannelOffAir(TransferError):
    """Nothing is on air there to donate to. The id is spent, as with every refusal on record."""

    def __init__(self, streamer_id: int) -> None:
        super().__init__(streamer_id)
        self.streamer_id = streamer_id

    def __str__(self) -> str:
        return f"channel {self.streamer_id} is off air"


class DonationUnknown(TransferError):
    """This channel was given no such donation."""

    def __init__(self, donation_id: int) -> None:
        super().__init__(donation_id)
        self.donation_id = donation_id

    def __str__(self) -> str:
        return f"no accepted donation {self.donation_id} of this channel"


class DonorGone(TransferError):
    """The one who gave has left: nobody could spend what went back."""

    def __init__(self, donation_id: int) -> None:
        super().__init__(donation_id)
        self.donation_id = donation_id

    def __str__(self) -> str:
        return f"the donor of donation {self.donation_id} has left"


class EarningsShort(TransferError):
    """The earnings hold less than the donation that is to go back."""

    def __init__(self, donation_id: int) -> None:
        super().__init__(donation_id)
        self.donation_id = donation_id

    def __str__(self) -> str:
        return f"the earnings hold less than donation {self.donation_id}"


class WalletUnknown(TransferError):
    """The one who gives or is given to has no wallet: no such member."""

    def __init__(self, member_id: int) -> None:
        super().__init__(member_id)
        self.member_id = member_id

    def __str__(self) -> str:
        return f"no wallet of member {self.member_id}"


@dataclass(frozen=True, slots=True)
class Donation:
    """A donation that keeps every rule which needs no look at the books; made by `donation()`."""

    id: UUID
    donor_id: int
    streamer_id: int
    points: int
    text: str
    anonymous: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to an accepted donation, the same for each retry. `points_left` in the wallet right after it."""

    id: UUID
    points_left: int
    replay: bool


@dataclass(frozen=True, slots=True)
class Balance:
    """What a member can spend (`points`) and what was given to them (`earnings`)."""

    points: int
    earnings: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a member's statement. `points` is negative when they left; `account` is "points" or "earnings".

    `nickname` is the other side's; None for the house, for who has left, and for a donor who stayed anonymous.
    """

    id: int
    at: datetime
    account: str
    kind: str
    points: int
    balance_after: int
    nickname: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Received:
    """One accepted donation as its streamer sees it; without a nickname its donor has left or stayed anonymous."""

    id: int
    at: datetime
    nickname: str
    points: int
    text: str
    broadcast_id: int | None
    refunded: bool


def donation(
    id: UUID,  # noqa: A002
    donor_id: int,
    streamer_id: int,
    points: int,
    text: str,
    *,
    anonymous: bool = False,
) -> Donation:
    """Plan a donation; the text is put in one line. The same arguments always give the same answer.

    `anonymous`: neither the room nor the streamer learns who it was; the books do.

    Raises, in this order, AmountOutOfRange, DonationToSelf, StreamerUnknown, WalletUnknown, MessageShape,
    MessageTooLong.
    """
    check_points(points)
    if donor_id == streamer_id:
        raise DonationToSelf
    if not 0 < streamer_id <= MEMBER_ID_MAX:
        raise StreamerUnknown(streamer_id)
    if not 0 < donor_id <= MEMBER_ID_MAX:
        raise WalletUnknown(donor_id)
    line = check_text(text)
    return Donation(id=id, donor_id=donor_id, streamer_id=streamer_id, points=points, text=line, anonymous=anonymous)


def check_text(text: str) -> str:
    """Return `text` in one line if it may stand in the books. Raises MessageShape, MessageTooLong."""
    line = " ".join(text.split())
    # What is all printable, as nearly every line is, holds neither.
    if not line.isprintable() and any(unicodedata.category(character) in {"Cc", "Cs"} for character in line):
        raise MessageShape
    if len(line) > MESSAGE_CHARACTERS_MAX:
        raise MessageTooLong(len(line))
    return line


def check_points(points: int) -> int:
    """Return `points` if so many may move at once. Raises AmountOutOfRange."""
    if not POINTS_MIN <= points <= POINTS_MAX:
        raise AmountOutOfRange(points)
    return points


def account_name(account: int) -> str:
    """Name the pocket of an account id as a statement does."""
    return "points" if account % 16 == WALLET else "earnings"
