"""An application with an engine of its own: ``--app tests.faults.till:soniq``.

How the engine is made is in the environment, as JSON: what a test gives to ``create_async_engine``.
"""

import asyncio
import json
import os

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from soniq_sa import AsyncSoniqSession, JobContext, Soniq, inject
from soniq_sa.engines import asyncpg_url
from tests.process.shop import Base, Effect, note, opened

ENGINE = "TEST_ENGINE"
"""The environment variable."""
APP = ("--app", "tests.faults.till:soniq")

engine = create_async_engine(
    asyncpg_url(os.environ.get("SONIQ_SA_DATABASE_URL", "postgresql://nobody@/nowhere")),
    **json.loads(os.environ.get(ENGINE, "{}")),
)
soniq = Soniq(Base.metadata, sessionmaker=async_sessionmaker(engine, class_=AsyncSoniqSession))


@soniq.job(name="count_and_add", retries=0)
async def count_and_add(
    gate: str, session: AsyncSession = inject(), ctx: JobContext = inject()
) -> None:
    """Write because of what was read: two of these at a time are not serializable."""
    note("start", ctx)
    await session.scalar(select(func.count()).select_from(Effect))
    await opened(gate)
    session.add(Effect(job_id=ctx.job_id, process=os.getpid()))


@soniq.job(name="lock_both", retries=0)
async def lock_both(
    first: int, second: int, gate: str, session: AsyncSession = inject(), ctx: JobContext = inject()
) -> None:
    """Lock two things one after the other; two in the opposite order wait for each other."""
    session.add(Effect(job_id=ctx.job_id, process=os.getpid()))
    await session.flush()
    await session.execute(select(func.pg_advisory_xact_lock(first)))
    note("start", ctx)
    await opened(gate)
    await session.execute(select(func.pg_advisory_xact_lock(second)))


@soniq.job(name="serve", retries=1, retry_delay=0.1)
async def serve(
    seconds: float = 0, session: AsyncSession = inject(), ctx: JobContext = inject()
) -> None:
    """Write, then be silent for some time."""
    note("start", ctx)
    session.add(Effect(job_id=ctx.job_id, process=os.getpid()))
    await session.flush()
    await asyncio.sleep(seconds)


@soniq.job(name="serve_slowly_once", retries=1, retry_delay=0.1)
async def serve_slowly_once(
    seconds: float, gate: str, session: AsyncSession = inject(), ctx: JobContext = inject()
) -> None:
    """Be silent for too long until the gate is there."""
    await serve.handler(0 if os.path.exists(gate) else seconds, session=session, ctx=ctx)  # noqa: ASYNC240, PTH110 - opened by another process
