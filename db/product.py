"""Core: the packs of points that are for sale, their prices, and the tax in a price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class ProductUnknown(Exception):
    """Nothing of this name is for sale."""

    def __init__(self, product: str) -> None:
        super().__init__(product)
        self.product = product

    def __str__(self) -> str:
        return f"no such product: {self.product!r}"


@dataclass(frozen=True, slots=True)
class Product:
    """One pack of points and its price in won, VAT included."""

    id: str
    points: int
    amount_won: int


PRODUCTS: Mapping[str, Product] = {
    str(points): Product(str(points), points, amount_won)
    for points, amount_won in (
        (100, 1_200),
        (300, 3_500),
        (500, 5_900),
        (1_000, 11_900),
        (1_500, 17_900),
        (2_000, 23_500),
    )
}
"""The price list, by product id. No price ever comes from outside."""


def product(product_id: str) -> Product:
    """Find what is for sale. Raises ProductUnknown."""
    found = PRODUCTS.get(product_id)
    if found is None:
        raise ProductUnknown(product_id)
    return found


def vat_won(amount_won: int) -> int:
    """Take the VAT out of a price that holds it: a tenth of the rest, rounded to the won (half up)."""
    return (2 * amount_won + 11) // 22
