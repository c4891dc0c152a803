"""The tasks of these tests. No worker runs them."""

from __future__ import annotations

from soniq_sa import Soniq
from tests.session.models import (
    Base,
    Early,
    Employee,
    Hashed,
    Node,
    Order,
    Person,
    Report,
    Seat,
    Stamp,
    Ticket,
    Token,
)

soniq = Soniq(Base.metadata)


@soniq.job(name="note")
def note(text: str) -> None:
    del text


@soniq.job(name="ship")
def ship(order: Order, text: str = "") -> None:
    del order, text


@soniq.job(name="ship_early")
def ship_early(order: Early, text: str = "") -> None:
    del order, text


@soniq.job(name="ship_some")
def ship_some(orders: list[Order], text: str = "") -> None:
    del orders, text


@soniq.job(name="ship_named")
def ship_named(orders: dict[str, Order]) -> None:
    del orders


@soniq.job(name="ship_perhaps")
def ship_perhaps(order: Order | None, others: list[Order | None] | None = None) -> None:
    del order, others


@soniq.job(name="seat")
def seat(entity: Seat) -> None:
    del entity


@soniq.job(name="ticket")
def ticket(entity: Ticket) -> None:
    del entity


@soniq.job(name="token")
def token(entity: Token) -> None:
    del entity


@soniq.job(name="stamp")
def stamp(entity: Stamp) -> None:
    del entity


@soniq.job(name="person")
def person(entity: Person) -> None:
    del entity


@soniq.job(name="employee")
def employee(entity: Employee) -> None:
    del entity


@soniq.job(name="node")
def node(entity: Node) -> None:
    del entity


@soniq.job(name="hashed")
def hashed(entity: Hashed, others: list[Hashed]) -> None:
    del entity, others


@soniq.job(name="report")
def report(entity: Report) -> None:
    del entity
