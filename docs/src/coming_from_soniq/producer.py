import asyncio
import logging
import warnings
from datetime import timedelta

from soniq_sa import InvalidArgumentsError, Soniq
from soniq_sa.errors import UnknownTaskError

from jobs import engine as billing_engine
from jobs import sent
from jobs import soniq as billing
from models import InvoiceArgs
from shop import Base, Session, User, engine, soniq

# region producer
send_invoice = soniq.ref("billing.invoices.send.v2", InvoiceArgs, queue="billing")


async def place_order(customer: str) -> None:
    async with Session.begin() as session:
        session.add(User(email=f"{customer}@example.com"))
        session.enqueue(send_invoice, order_id="o1", customer=customer)


# endregion


# region stub
@soniq.stub(name="billing.invoices.send.v2", queue="billing")
async def send_by_stub(order_id: str, customer: str) -> str:
    raise NotImplementedError


# endregion


async def main() -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)

    await place_order("acme")
    await soniq.enqueue(send_by_stub, order_id="o2", customer="duff")

    for refusal, call in (
        (InvalidArgumentsError, soniq.enqueue(send_invoice, order_id=3, customer="acme")),
        (UnknownTaskError, soniq.enqueue("billing.invoices.sendd.v2", order_id="o3")),
    ):
        try:
            await call
        except refusal as error:
            print(error)
        else:
            raise AssertionError

    # region name
    lenient = Soniq(Base.metadata, engine=engine, unknown_tasks="none")
    await lenient.enqueue("billing.invoices.send.v2", order_id="o3", customer="acme")
    # endregion
    unknown = await lenient.enqueue("billing.invoices.send.v3", order_id="o4")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warned = Soniq(Base.metadata, engine=engine, unknown_tasks="warn")
        handle = await warned.enqueue("billing.invoices.send.v2", order_id=4, customer="acme")
    assert len(caught) == 1

    # region later
    await soniq.schedule(send_invoice, timedelta(hours=1), order_id="o5", customer="acme")
    # endregion

    logging.getLogger("soniq_sa").setLevel(logging.CRITICAL)  # one of them is refused
    await billing.run_worker(run_once=True)
    assert sorted(sent) == [("o1", "acme"), ("o2", "duff"), ("o3", "acme")]
    job = await soniq.get_job(handle)
    assert job is not None
    assert (job.state, job.reason) == ("dead", "invalid arguments")
    assert await unknown.status() == "queued"  # until a worker knows it
    await engine.dispose()
    await billing_engine.dispose()


asyncio.run(main())
