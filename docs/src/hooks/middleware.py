import asyncio
import logging

# region middleware
from time import perf_counter

from soniq_sa import CallNext, JobContext, Snooze

# endregion
from sqlalchemy import select, text

from shop import Invoice, Session, create_tables, engine, soniq

seconds: dict[str, float] = {}
closed_tenants = {"t2"}


# region middleware
@soniq.middleware
async def timed(ctx: JobContext, call_next: CallNext) -> None:
    start = perf_counter()
    try:
        await call_next()
    finally:
        seconds[ctx.task] = perf_counter() - start


@soniq.middleware
async def wait_for_tenant(ctx: JobContext, call_next: CallNext) -> None:
    if ctx.headers.get("tenant") in closed_tenants:
        raise Snooze(600, "the tenant is closed")
    await call_next()


# endregion


@soniq.middleware
async def fail_after_the_commit(ctx: JobContext, call_next: CallNext) -> None:
    await call_next()
    raise RuntimeError("too late to change anything")


@soniq.job(name="charge")
async def charge(invoice: Invoice) -> None:
    invoice.paid = True


async def main() -> None:
    logging.getLogger("soniq_sa").setLevel(logging.CRITICAL)  # failures are the point
    await create_tables()
    async with Session.begin() as session:
        for tenant in ("t1", "t2"):
            invoice = Invoice(tenant=tenant)
            session.add(invoice)
            session.enqueue(charge.options(headers={"tenant": tenant}), invoice)
    await soniq.run_worker(run_once=True)
    async with Session() as session:
        paid = select(Invoice.tenant).where(Invoice.paid)
        assert list(await session.scalars(paid)) == ["t1"]
        rows = await session.execute(text("SELECT state, reason FROM soniq_jobs ORDER BY id"))
        for state, reason in rows:
            print(state, reason)
    assert seconds["charge"] > 0
    await engine.dispose()


asyncio.run(main())
