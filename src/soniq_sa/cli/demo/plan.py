"""The orders that the demo places: which kinds, in which order."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What becomes of an order."""

    PLAIN = "plain"
    GIFT = "gift"
    OUT_OF_STOCK = "savepoint rolled back"
    DECLINED = "rolled back"


# Of 20 orders. The first four are one of each, so that few orders are of every kind too.
SHARES = (
    *(Kind.PLAIN, Kind.DECLINED, Kind.OUT_OF_STOCK, Kind.GIFT),
    *(Kind.PLAIN,) * 11,
    *(Kind.DECLINED,) * 3,
    *(Kind.OUT_OF_STOCK, Kind.GIFT),
)
PAPERS = {Kind.GIFT: "stars", Kind.OUT_OF_STOCK: "gold"}
CARDS = {Kind.DECLINED: "declined"}


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    """One order that is going to be placed; `customer` counts from 0."""

    kind: Kind
    customer: int
    total: str

    @property
    def committed(self) -> bool:
        """Say whether the shop is going to commit it."""
        return self.kind is not Kind.DECLINED

    def body(self, customer_id: int) -> dict[str, str | int | None]:
        """Return the body of the request."""
        return {
            "customer_id": customer_id,
            "total": self.total,
            "card": CARDS.get(self.kind, "accepted"),
            "gift_paper": PAPERS.get(self.kind),
        }


def plan_orders(count: int, *, customers: int, seed: int) -> list[PlannedOrder]:
    """Return `count` orders, the same ones for the same seed."""
    chance = random.Random(seed)  # noqa: S311  repeatable is what is wanted
    orders = [
        PlannedOrder(
            kind=SHARES[number % len(SHARES)],
            customer=chance.randrange(customers),
            total=f"{chance.randint(100, 99_999) / 100:.2f}",
        )
        for number in range(count)
    ]
    chance.shuffle(orders)
    return orders
