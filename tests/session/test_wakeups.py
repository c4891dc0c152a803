"""Workers are woken after the outermost commit, and never before it."""

from __future__ import annotations

import asyncio
import os
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import make_url, text

from soniq_sa.models.channel import DUE_HINT
from tests.session.app import note, ship
from tests.session.listening import PATIENCE, Ears, by_name, libpq, listening
from tests.session.models import Job, Order
from tests.session.variants import DRIVERS, Variant, dispose, own_variant


@pytest.fixture
async def ears(variant: Variant) -> AsyncIterator[Ears]:
    """Listen on the channel of the jobs."""
    async with listening(variant) as listener:
        yield listener


async def test_the_queues_are_named_after_the_commit(variant: Variant, ears: Ears) -> None:
    async with variant.session() as session:
        order = Order()
        session.add(order)
        session.enqueue(note.options(queue="a"), "1")
        session.enqueue(ship.options(queue="b"), order)
        session.enqueue_many(note.options(queue="c"), [{"text": "2"}])
        session.add(Job(task="note", queue="d"))
        await session.flush()
        await ears.all_said()
        assert ears.queues == set()
        await session.commit()
        await ears.until_queues("a", "b", "c", "d")
    assert ears.jobs_then[-1] == 5


async def test_jobs_that_wait_for_their_time_are_hinted_at(variant: Variant, ears: Ears) -> None:
    async with variant.session() as session:
        session.enqueue(note.options(queue="a", delay=60), "1")
        await session.commit()
        await ears.until_queues(DUE_HINT)
        session.enqueue(note.options(queue="c", delay=0), "3")
        await session.commit()
        await ears.until_queues(DUE_HINT, "c")


@pytest.mark.parametrize(("delay", "named"), [(0, {"a"}), (60, {"a", DUE_HINT})])
async def test_many_jobs_with_a_time_wake_the_queue_as_well(
    variant: Variant, ears: Ears, delay: float, named: set[str]
) -> None:
    async with variant.session() as session:
        session.enqueue_many(note.options(queue="a", delay=delay), [{"text": "1"}])
        await session.commit()
        await ears.until_queues(*named)


async def test_the_release_of_a_savepoint_wakes_nobody(variant: Variant, ears: Ears) -> None:
    async with variant.session() as session:
        async with session.begin_nested():
            session.enqueue(note.options(queue="a"), "1")
            async with session.begin_nested():
                session.enqueue(note.options(queue="b"), "2")
        await ears.all_said()
        assert ears.queues == set()
        await session.commit()
        await ears.until_queues("a", "b")
    assert ears.jobs_then[-1] == 3


async def test_a_rollback_wakes_nobody_then_or_later(variant: Variant, ears: Ears) -> None:
    async with variant.session() as session:
        session.enqueue(note.options(queue="a"), "1")
        session.enqueue_many(note.options(queue="b"), [{"text": "2"}])
        await session.flush()
        await session.rollback()
        await ears.all_said()
        assert ears.queues == set()
        session.enqueue(note.options(queue="c"), "3")
        await session.commit()
        await ears.all_said()
        assert ears.queues == {"c"}


async def test_closing_wakes_nobody_then_or_later(variant: Variant, ears: Ears) -> None:
    async with variant.session() as session:
        session.enqueue(note.options(queue="a"), "1")
        await session.flush()
        await session.close()
        session.enqueue(note.options(queue="c"), "3")
        await session.commit()
        await ears.all_said()
        assert ears.queues == {"c"}


async def test_a_commit_without_jobs_wakes_nobody(variant: Variant, ears: Ears) -> None:
    async with variant.session() as session:
        session.enqueue(note.options(queue="a"), "1")
        await session.commit()
        await ears.until_queues("a")
        heard = len(ears.heard)
        session.add(Order())
        await session.commit()
        await ears.all_said()
    assert len(ears.heard) == heard + 1


async def test_two_phases_wake_at_the_second(psycopg: Variant) -> None:
    async with listening(psycopg) as ears, psycopg.session(twophase=True) as session:
        session.enqueue(note.options(queue="a"), "1")
        await session.prepare()
        await ears.all_said()
        assert ears.queues == set()
        await session.commit()
        await ears.until_queues("a")


async def test_wake_ups_of_many_commits_are_said_together(variant: Variant, ears: Ears) -> None:
    names = {f"queue-{number}" for number in range(100)}
    started = time.monotonic()
    async with variant.session() as session:
        for name in names:
            session.enqueue(note.options(queue=name), "1")
            await session.commit()
    await ears.until(lambda: ears.queues >= names)
    took = time.monotonic() - started
    assert ears.queues == names
    assert len(ears.heard) <= 2 + took / 0.01
    assert variant.is_async or took > 0.5 or len(ears.heard) < 60


async def test_wake_ups_of_many_threads_reach_their_ears(psycopg: Variant) -> None:
    def produce(number: int) -> None:
        with psycopg.session().sync_session as session:
            for index in range(20):
                session.enqueue(note.options(queue=f"queue-{number}-{index}"), "1")
                session.commit()

    async with listening(psycopg) as ears:
        await asyncio.gather(*(asyncio.to_thread(produce, number) for number in range(4)))
        await ears.until(lambda: len(ears.queues) == 80)


KILL = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND query LIKE '%pg_notify%' AND pid <> pg_backend_pid()"
)


@pytest.mark.parametrize("driver", DRIVERS)
async def test_wake_ups_go_on_after_their_connection_broke(driver: str, database_url: str) -> None:
    with own_variant(driver, make_url(database_url)) as variant:
        async with listening(variant) as ears, variant.session() as session:
            session.enqueue(note.options(queue="before"), "1")
            await session.commit()
            await ears.until_queues("before")
            with variant.observer.connect() as connection:
                assert len(connection.execute(KILL).all()) == 1
            deadline = time.monotonic() + PATIENCE
            while "after" not in ears.queues:
                assert time.monotonic() < deadline
                session.enqueue(note.options(queue="after"), "1")
                await session.commit()
                await asyncio.sleep(0.01)
        await dispose(variant)


HEAD = """
    import asyncio, os, sys
    from sqlalchemy import create_engine, make_url
    from sqlalchemy.ext.asyncio import create_async_engine
    from soniq_sa import AsyncSoniqSession, Soniq, SoniqSession
    from tests.session.app import note
    from tests.session.models import Base

    url = make_url(sys.argv[1])

    def queue(name):
        return note.options(queue=name)

    sync_engine = create_engine(url.set(drivername="postgresql+psycopg"))
    async_engine = create_async_engine(url.set(drivername="postgresql+asyncpg"))
    soniq = Soniq(Base.metadata, database_url=sys.argv[1])

    def enqueue(name):
        with SoniqSession(sync_engine) as session, session.begin():
            session.enqueue(queue(name), "a")

    async def enqueue_async(name):
        async with AsyncSoniqSession(async_engine) as session, session.begin():
            session.enqueue(queue(name), "a")
        await async_engine.dispose()

"""

PROGRAMS = {
    "sync session": 'enqueue("a")',
    "async session": 'asyncio.run(enqueue_async("a"))',
    "soniq.enqueue": 'asyncio.run(soniq.enqueue(queue("a"), "a"))',
    "soniq.enqueue_sync": 'soniq.enqueue_sync(queue("a"), "a")',
    "an error": 'enqueue("a"); 1 / 0',
    "sys.exit": 'asyncio.run(enqueue_async("a")); sys.exit(1)',
}


async def run_program(body: str, url: str) -> float:
    """Run a program to its end, and return how long it took."""
    started = time.monotonic()
    program = textwrap.dedent(HEAD) + textwrap.dedent(body)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, url, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        _, errors = await process.communicate()
    shown = errors.decode()
    assert not shown or "ZeroDivisionError" in shown, shown
    return time.monotonic() - started


WHERE = [
    *((program, "as the tests") for program in PROGRAMS),
    *(
        (program, "localhost")
        for program in ("sync session", "async session", "soniq.enqueue_sync")
    ),
]


@pytest.mark.parametrize(("program", "where"), WHERE)
async def test_a_program_that_ends_at_once_has_woken_the_workers(
    psycopg: Variant, program: str, where: str
) -> None:
    url = psycopg.engine.url
    async with listening(psycopg) as ears, by_name(url) as named:
        target = named if where == "localhost" else url
        await run_program(PROGRAMS[program], libpq(target))
        assert {row.queue for row in psycopg.rows()} >= {"a"}
        await ears.until(lambda: "a" in ears.queues)


FORKING = """
    import signal

    def child():
        signal.alarm(20)
        sync_engine.dispose(close=False)
        WAY("child")
        sys.exit(0)

    for _ in range(2):
        WAY("before")
        pid = os.fork()
        if pid == 0:
            child()
        assert os.waitpid(pid, 0)[1] == 0
    WAY("after")
"""
WAYS = {
    "sync session": "enqueue",
    "async session": "(lambda name: asyncio.run(enqueue_async(name)))",
    "soniq.enqueue_sync": '(lambda name: soniq.enqueue_sync(queue(name), "a"))',
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.parametrize("way", WAYS)
async def test_a_forked_process_enqueues_and_wakes(psycopg: Variant, way: str) -> None:
    async with listening(psycopg) as ears:
        url: Any = psycopg.engine.url
        await run_program(FORKING.replace("WAY", WAYS[way]), libpq(url))
        assert {row.queue for row in psycopg.rows()} == {"before", "child", "after"}
        await ears.until_queues("before", "child", "after")


FORKING_IN_THE_MIDDLE = """
    import signal, threading
    from soniq_sa.session import wakeup

    held, released = threading.Event(), threading.Event()

    def be_waking():
        (waker,) = wakeup._wakers.values()
        with waker._changed:
            held.set()
            released.wait()

    enqueue("before")
    threading.Thread(target=be_waking).start()
    held.wait()
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        sync_engine.dispose(close=False)
        enqueue("child")
        sys.exit(0)
    released.set()
    assert os.waitpid(pid, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
async def test_a_process_forked_in_the_middle_of_a_wake_up_disposes_of_its_pool(
    psycopg: Variant,
) -> None:
    async with listening(psycopg) as ears:
        await run_program(FORKING_IN_THE_MIDDLE, libpq(psycopg.engine.url))
        await ears.until_queues("before", "child")
