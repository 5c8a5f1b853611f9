"""Core: why a top-up order does not go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID


class OrderError(Exception):
    """Base of what is wrong with an order. Neither money nor points have moved when one is raised."""


class OrderUnknown(OrderError):
    """No order of this id, or another member's."""

    def __init__(self, order_id: UUID) -> None:
        super().__init__(order_id)
        self.id = order_id

    def __str__(self) -> str:
        return f"no such order: {self.id}"


class OrderIdReused(OrderError):
    """The id was used for another product, or by another member."""

    def __init__(self, order_id: UUID) -> None:
        super().__init__(order_id)
        self.id = order_id

    def __str__(self) -> str:
        return f"id {self.id} was used for another order"


class OrderState(OrderError):
    """The order is in a state in which this cannot be done."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state

    def __str__(self) -> str:
        return f"the order is {self.state}"


class OrderExpired(OrderState):
    """The order was not paid in time."""


class TokenRefused(OrderError):
    """The customer's return does not fit: the provider does not know its token, or nobody has agreed to pay yet."""

    def __str__(self) -> str:
        return "the provider did not take the token"


class RulingUnfounded(OrderError):
    """What a person wants to decide of an order does not fit the money that the provider keeps for us of it."""

    def __init__(self, kept_won: int | None) -> None:
        super().__init__(kept_won)
        self.kept_won = kept_won

    def __str__(self) -> str:
        said = "nothing of this order" if self.kept_won is None else f"that we keep {self.kept_won} won of it"
        return f"the provider says {said}"


class MemberGone(OrderError):
    """Nobody is there to have the order's points."""

    def __str__(self) -> str:
        return "the member has left: give the money back, then close the order"


class RefundLate(OrderError):
    """Paid longer ago than an order can be taken back."""

    def __init__(self, days_max: int) -> None:
        super().__init__(days_max)
        self.days_max = days_max

    def __str__(self) -> str:
        return f"paid more than {self.days_max} days ago"


class RefundShort(OrderError):
    """The wallet no longer holds the points of the order."""

    def __init__(self, points: int) -> None:
        super().__init__(points)
        self.points = points

    def __str__(self) -> str:
        return f"fewer than {self.points} points in the wallet"


class RefundDeclined(OrderError):
    """The provider does not give the money back; the points are in the wallet again."""

    def __str__(self) -> str:
        return "the provider declined the refund"


class ProviderError(OrderError):
    """Base of what the payment provider does not do for us."""


class ProviderAway(ProviderError):
    """The provider was not reached or gave no answer; send the same order again."""

    def __str__(self) -> str:
        return "no answer from the payment provider"


class ProviderDeclined(ProviderError):
    """The provider does not take this order at all."""

    def __str__(self) -> str:
        return "the payment provider declined"


class ProviderOther(ProviderError):
    """The order was made with a provider that is not the one in use now."""

    def __init__(self, provider: str) -> None:
        super().__init__(provider)
        self.provider = provider

    def __str__(self) -> str:
        return f"the order is one of {self.provider}"
