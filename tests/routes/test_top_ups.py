"""Orders and the other company: every road from a click to points, and every accident on it."""

from db.order import State


async def test_money_taken_is_points_given(shop, new_member):
    nabi = await new_member("나비")
    order = await shop.place(nabi.id, "300")
    assert order.state is State.READY
    token = await shop.agree(order)

    paid = await shop.top_ups.returned(order.id, token)

    assert paid.state is State.PAID
    assert (300, 3_500) == (await shop.balance(nabi.id), await shop.money())
    assert shop.far.calls == {"ready": 1, "approve": 1}

    refunded = await shop.top_ups.refund(nabi.id, order.id)
    assert refunded.state is State.REFUNDED
    assert (0, 0) == (await shop.balance(nabi.id), await shop.money())
