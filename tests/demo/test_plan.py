"""The orders are repeatable, and few of them are of every kind too."""

from collections import Counter

from soniq_sa.cli.demo.plan import Kind, plan_orders


def test_the_same_seed_gives_the_same_orders() -> None:
    assert plan_orders(50, customers=5, seed=7) == plan_orders(50, customers=5, seed=7)
    assert plan_orders(50, customers=5, seed=7) != plan_orders(50, customers=5, seed=8)


def test_four_orders_are_one_of_each_kind() -> None:
    assert {order.kind for order in plan_orders(4, customers=1, seed=1)} == set(Kind)


def test_most_orders_are_committed_and_a_fifth_is_rolled_back() -> None:
    kinds = Counter(order.kind for order in plan_orders(200, customers=5, seed=1))
    assert kinds[Kind.DECLINED] == 40
    assert kinds[Kind.OUT_OF_STOCK] == 20
    assert kinds[Kind.PLAIN] > 100


def test_the_kind_decides_card_and_paper() -> None:
    bodies = {
        order.kind: order.body(customer_id=3) for order in plan_orders(20, customers=1, seed=1)
    }
    assert bodies[Kind.DECLINED]["card"] == "declined"
    assert bodies[Kind.PLAIN]["gift_paper"] is None
    assert bodies[Kind.GIFT]["gift_paper"] == "stars"
    assert bodies[Kind.OUT_OF_STOCK]["gift_paper"] == "gold"
    assert all(body["customer_id"] == 3 for body in bodies.values())
