"""Wrong arguments of a reference are reported like those of a task."""

from pydantic import BaseModel
from shop import Base, Order, remind, send_invoice, soniq
from soniq_sa import Soniq, SoniqSession, enqueue


class InvoiceArgs(BaseModel):
    order_id: int
    copies: int = 1


class NoModel:
    def __init__(self, order_id: int) -> None: ...


by_model = soniq.ref("billing.send_invoice", InvoiceArgs)


@soniq.stub(name="billing.remind")
async def billing_remind(order: Order, *, copy: bool = False) -> str:
    raise NotImplementedError


def in_a_session(session: SoniqSession, order: Order) -> None:
    session.enqueue(by_model)  # error: Missing named argument "order_id" || Argument missing for parameter "order_id"
    session.enqueue(by_model, order_id="3")  # error: expected "int" || parameter "order_id" of type "int"
    session.enqueue(by_model, order_id=3, copys=1)  # error: Unexpected keyword argument "copys" || No parameter named "copys"
    session.enqueue(by_model, 3)  # error: Too many positional arguments || Expected 0 positional arguments
    session.enqueue(billing_remind, 3)  # error: expected "Order" || is not assignable to "Order"
    session.enqueue(billing_remind.options(delay=1), order, copy="yes")  # error: expected "bool" || parameter "copy" of type "bool"
    session.enqueue("billing.remind", order=1)  # error: has incompatible type "str" || cannot be assigned to parameter "task"
    enqueue(session, by_model, order=order)  # error: Unexpected keyword argument "order" || No parameter named "order"
    billing_remind(order)  # error: not callable || "__call__"


async def on_the_application(order: Order) -> None:
    await soniq.enqueue(by_model, order_id="3")  # error: expected "int" || parameter "order_id" of type "int"
    await soniq.enqueue(send_invoice)  # error: Missing positional argument "order" || Argument missing for parameter "order"
    await soniq.enqueue(3)  # error: has incompatible type "int" || cannot be assigned to parameter "task"
    await soniq.schedule(remind, 60, "1")  # error: expected "int" || is not assignable to "int"
    await soniq.schedule(remind, "tomorrow", 1)  # error: expected "datetime | float | timedelta" || parameter "run_at" of type
    await soniq.schedule(remind, 60)  # error: Missing positional argument "user_id" || Argument missing for parameter "user_id"


soniq.ref("billing.send_invoice", InvoiceArgs, prioritty=1)  # error: Unexpected keyword argument "prioritty" || No overloads for "ref"
soniq.ref("billing.send_invoice", NoModel)  # error: incompatible type "type[NoModel]" || "NoModel" is not assignable to "BaseModel"
soniq.stub(queue="billing")  # error: Missing named argument "name" || Argument missing for parameter "name"
Soniq(Base.metadata, unknown_tasks="off")  # error: expected "Literal['strict', 'warn', 'none']" || parameter "unknown_tasks" of type


@soniq.job(args_model=NoModel)  # error: "type[NoModel]" || cannot be assigned to parameter "args_model"
async def no_model(order_id: int) -> None: ...
