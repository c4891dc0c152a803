"""Options have names and types of their own, apart from the job's arguments."""

from shop import Order, send_invoice, soniq
from soniq_sa import JobOptions, SoniqSession


def wrong_options(session: SoniqSession, order: Order) -> None:
    send_invoice.options(prioritty=1)  # error: Unexpected keyword argument "prioritty" || No parameter named "prioritty"
    send_invoice.options(priority="high")  # error: expected "int" || parameter "priority" of type "int"
    send_invoice.options(queue=1)  # error: expected "str" || parameter "queue" of type "str"
    send_invoice.options(delay="1 minute")  # error: expected "float | timedelta" || parameter "delay" of type
    send_invoice.options(run_at="tomorrow")  # error: expected "datetime | float | timedelta" || parameter "run_at" of type
    send_invoice.options("billing")  # error: Too many positional arguments || Expected 0 positional arguments
    session.enqueue(send_invoice, order, priority=1)  # error: Unexpected keyword argument "priority" || No parameter named "priority"
    session.enqueue(send_invoice.options(priority=1), "x")  # error: expected "Order" || is not assignable to "Order"


chosen: JobOptions = {"queues": "billing"}  # error: Extra key "queues" || "queues" is an undefined item in type "JobOptions"


@soniq.job(retries="three")  # error: matches argument type "str" || parameter "retries" of type "int"
async def wrong_retries() -> None: ...


@soniq.job(priorty=1)  # error: Unexpected keyword argument "priorty" || No overloads for "job"
async def wrong_name() -> None: ...


@soniq.job(retention={"doen": 0})  # error: dict[str, int] || parameter "retention" of type
async def wrong_state() -> None: ...
