"""Core: the price list, and the tax in a price."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.product import PRODUCTS, Product, ProductUnknown, product, vat_won


def test_the_price_list_is_the_houses():
    assert [(each.id, each.points, each.amount_won) for each in PRODUCTS.values()] == [
        ("100", 100, 1_200),
        ("300", 300, 3_500),
        ("500", 500, 5_900),
        ("1000", 1_000, 11_900),
        ("1500", 1_500, 17_900),
        ("2000", 2_000, 23_500),
    ]
    assert Product("100", 100, 1_200) == product("100")


@pytest.mark.parametrize("name", ["", "0", "-100", "101", "100.0", "1e2", " 100", "100 points", "１００"])
def test_what_is_not_on_the_list_is_not_sold(name):
    with pytest.raises(ProductUnknown, match="no such product"):
        product(name)


@pytest.mark.parametrize(
    ("amount", "vat"), [(0, 0), (5, 0), (6, 1), (11, 1), (1_200, 109), (3_500, 318), (23_500, 2_136)]
)
def test_the_vat_in_a_price(amount, vat):
    assert vat_won(amount) == vat


@given(st.integers(0, 10**12))
def test_the_vat_is_an_eleventh_rounded_to_the_won(amount):
    assert vat_won(amount) == int((Decimal(amount) / 11).to_integral_value(ROUND_HALF_UP))
