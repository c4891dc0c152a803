import asyncio
import logging
from datetime import timedelta

from soniq_sa import InvalidArgumentsError, OptionError, Priority, UnknownOptionError
from sqlalchemy import cast, select
from sqlalchemy.dialects.postgresql import JSONB

from shop import Base, Job, Session, Tenant, engine, make_report, refund, seen, soniq

traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def main() -> None:
    logging.getLogger("soniq_sa").setLevel(logging.CRITICAL)  # failures are the point
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with Session.begin() as session:
        session.add(Tenant(id=7))
        await session.flush()
        # region options
        session.enqueue(make_report.options(priority=Priority.HIGH, retries=0), 1)
        session.enqueue(make_report.options(timeout=timedelta(minutes=10)), 2)
        session.enqueue(make_report.options(expires_in=60, tags=["monthly", "eu"]), 3)

        traced = make_report.options(headers={"traceparent": traceparent})
        session.enqueue(traced.options(columns={"tenant_id": 7}), 4)
        # endregion
        # region many
        nightly = make_report.options(priority=Priority.BATCH, tags=["nightly"])
        session.enqueue_many(nightly, [{"user_id": user_id} for user_id in range(100)])
        # endregion
        try:
            session.enqueue(refund, order_id=7, cents=-5)
        except InvalidArgumentsError as error:
            print(error)
        else:
            raise AssertionError("taken")
        for wrong, refusal in (
            ({"prioritty": 1}, UnknownOptionError),
            ({"columns": {"tenant": 7}}, UnknownOptionError),
            ({"timeout": -1}, OptionError),
        ):
            try:
                make_report.options(**wrong)
            except refusal as error:
                print(error)
            else:
                raise AssertionError(wrong)
    async with Session() as session:
        # region find
        of_tenant = select(Job).where(Job.tenant_id == 7)
        tagged = select(Job).where(cast(Job.tags, JSONB).contains(["nightly"]))
        # endregion
        assert len((await session.scalars(of_tenant)).all()) == 1
        assert len((await session.scalars(tagged)).all()) == 100
    late = await soniq.enqueue(make_report.options(expires_in=0), 5)
    await soniq.run_worker(run_once=True)
    async with Session() as session:
        job = await session.get_one(Job, late.id)
        assert (job.state, job.reason, job.attempts) == ("dead", "expired", 0)
    assert len(seen) == 104
    assert (traceparent,) in seen
    assert ("", "monthly", "eu") in seen
    await engine.dispose()


asyncio.run(main())
