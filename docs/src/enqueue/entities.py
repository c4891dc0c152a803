from contextlib import suppress
from typing import Annotated

from soniq_sa import EntityReferenceError, Locked, inject
from sqlalchemy.orm import Session

from shop import Line, Order, SyncSession, create_tables, engine, soniq


# region tasks
@soniq.job
def ship(line: Line) -> None: ...  # a composite key


@soniq.job
def bill(orders: list[Order], notes: dict[str, Order]) -> None: ...


@soniq.job
def thank(order: Order | None) -> None: ...  # None if it is deleted until then


@soniq.job
def charge(order: Annotated[Order, Locked], *, session: Session = inject()) -> None:
    order.total -= 5  # the row is locked until the commit


# endregion

create_tables()

# region enqueue
with SyncSession.begin() as session:
    order, gift = Order(total=10), Order(total=0)
    session.add_all([order, gift])
    session.enqueue(bill, [order, gift], notes={"gift": gift})
    session.enqueue(thank, order)
    session.enqueue(charge, order)

    session.flush()
    line = Line(order_id=order.id, number=1)
    session.add(line)
    session.enqueue(ship, line)
# endregion

with SyncSession.begin() as session:
    gone = session.get_one(Order, 1)
    session.delete(gone)
    with suppress(EntityReferenceError):
        session.enqueue(thank, gone)
        raise AssertionError
    session.rollback()
engine.dispose()
