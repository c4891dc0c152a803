"""A place in the session pool is held for as long as the connection is."""

import threading

from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

from soniq_sa import Soniq, inject
from soniq_sa.localserver.databases import libpq_url
from tests.runtime.bench import Bench
from tests.runtime.models import Base


async def test_a_thread_that_goes_on_after_its_timeout_keeps_its_place(bench: Bench) -> None:
    """The next job waits for the pool's one connection before its own time begins to count."""
    url = libpq_url(bench.url).replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(url, pool_size=1, max_overflow=0)
    bench.soniq = Soniq(Base.metadata, engine=bench.engine, sessionmaker=sessionmaker(engine))
    bench.soniq.events.subscribe(bench.seen.append)
    leave = threading.Event()

    @bench.task(timeout=0.2, retries=0)
    def slow(session: Session = inject()) -> None:
        session.connection()
        leave.wait(30)

    @bench.task(timeout=0.5, retries=0)
    def quick(session: Session = inject()) -> None:
        session.connection()

    first = await bench.soniq.enqueue(slow)
    async with bench.worker():
        await bench.until_state(first, "dead")
        handle = await bench.soniq.enqueue(quick)
        await bench.until_state(handle, "processing")
        threading.Timer(1, leave.set).start()
        assert (await bench.until_state(handle, "done")).attempts == 1
    engine.dispose()
