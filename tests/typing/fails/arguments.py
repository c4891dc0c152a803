"""Wrong job arguments are reported where they are written."""

from shop import Customer, Order, async_engine, engine, remind, render, send_invoice, ship, soniq
from soniq_sa import AsyncSoniqSession, SoniqSession, enqueue, enqueue_many
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker


Sessions = sessionmaker(engine, class_=SoniqSession)
AsyncSessions = async_sessionmaker(async_engine, class_=AsyncSoniqSession)


def on_a_session(order: Order, customer: Customer) -> None:
    with Sessions.begin() as session:
        session.enqueue(send_invoice, customer)  # error: has incompatible type "Customer"; expected "Order" || "Customer" is not assignable to "Order"
        session.enqueue(send_invoice, 7)  # error: has incompatible type "int"; expected "Order" || is not assignable to "Order"
        session.enqueue(send_invoice)  # error: Missing positional argument "order" || Argument missing for parameter "order"
        session.enqueue(send_invoice, order, coppy=True)  # error: Unexpected keyword argument "coppy" || No parameter named "coppy"
        session.enqueue(send_invoice, order, copy="yes")  # error: "copy" to "enqueue" || parameter "copy" of type "bool"
        session.enqueue(send_invoice, order, True)  # error: Too many positional arguments || Expected 1 positional argument
        session.enqueue(render, order, pages="two")  # error: expected "int" || parameter "pages" of type "int"
        session.enqueue(remind)  # error: Missing positional argument "user_id" || Argument missing for parameter "user_id"
        session.enqueue(remind, 1, order)  # error: expected "Customer | None" || "customer" of type "Customer | None"


async def on_an_async_session(order: Order, customer: Customer) -> None:
    async with AsyncSessions.begin() as session:
        session.enqueue(send_invoice, customer)  # error: expected "Order" || is not assignable to "Order"
        session.enqueue(ship, order)  # error: expected "list[Order]" || is not assignable to "list[Order]"
        session.enqueue(ship, [order, customer])  # error: List item 1 has incompatible type "Customer" || "Customer" is not assignable to "Order"
        session.enqueue(ship, [order], by_code={1: order})  # error: Dict entry 0 has incompatible type "int" || "by_code" of type "dict[str, Order] | None"


def free_function(session: Session, async_session: AsyncSession, order: Order) -> None:
    enqueue(session, send_invoice, "1")  # error: expected "Order" || is not assignable to "Order"
    enqueue(async_session, send_invoice)  # error: Missing positional argument "order" || Argument missing for parameter "order"
    enqueue(async_session, render, order, page=1)  # error: Unexpected keyword argument "page" || No parameter named "page"
    enqueue(order, remind, 1)  # error: incompatible type "Order" || "Order" is not assignable
    enqueue(session, remind(1))  # error: incompatible type "None"; expected "TaskRef[ || cannot be assigned to parameter "task" of type "Task
    enqueue_many(session, remind, {"user_id": 1})  # error: expected "Mapping[str, Any]" || of type "Iterable[Mapping[str, Any]]"
    enqueue(session, len, [1])  # error: expected "Task || cannot be assigned to parameter "task" of type "Task


async def own_transaction(order: Order) -> None:
    await soniq.enqueue(send_invoice, order, copy=1)  # error: expected "bool" || parameter "copy" of type "bool"
    await soniq.enqueue(ship)  # error: Missing positional argument "orders" || Argument missing for parameter "orders"
    soniq.enqueue_sync(remind, user_id="one")  # error: expected "int" || parameter "user_id" of type "int"


async def called_directly(order: Order) -> None:
    await send_invoice(1)  # error: expected "Order" || is not assignable to "Order"
    await ship([order], order)  # error: expected "dict[str, Order] | None" || parameter "by_code" of type "dict[str, Order] | None"
    render()  # error: Missing positional argument "order" || Argument missing for parameter "order"
    remind("1")  # error: expected "int" || is not assignable to "int"
