"""Handlers run, async and sync, with what they ask for."""

import asyncio
import contextvars
import threading
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from soniq_sa import JobContext, inject
from tests.runtime.bench import Bench
from tests.runtime.models import Effect


async def test_an_async_handler_runs_on_the_loop_of_the_worker(bench: Bench) -> None:
    threads: list[threading.Thread] = []

    @bench.task()
    async def task(number: int, *, word: str) -> None:
        assert (number, word) == (7, "seven")
        threads.append(threading.current_thread())

    handle = await bench.soniq.enqueue(task, 7, word="seven")
    async with bench.worker():
        row = await bench.until_state(handle, "done")
    assert threads == [threading.current_thread()]
    assert (row.attempts, row.claims, row.crashes) == (1, 1, 0)
    assert (row.error, row.reason) == (None, None)
    assert row.finished_at >= row.claimed_at >= row.created_at


async def test_sync_handlers_run_in_threads_side_by_side(bench: Bench) -> None:
    both = threading.Barrier(2, timeout=5)
    threads: set[str] = set()

    @bench.task()
    def task() -> None:
        both.wait()
        threads.add(threading.current_thread().name)
        assert threading.current_thread() is not threading.main_thread()

    handles = [await bench.soniq.enqueue(task) for _ in range(2)]
    async with bench.worker():
        for handle in handles:
            await bench.until_state(handle, "done")


async def test_async_handlers_run_side_by_side(bench: Bench) -> None:
    met = asyncio.Barrier(5)

    @bench.task(retries=0)
    async def task() -> None:
        async with asyncio.timeout(5):
            await met.wait()

    handles = [await bench.soniq.enqueue(task) for _ in range(5)]
    async with bench.worker():
        for handle in handles:
            await bench.until_state(handle, "done")


async def test_no_more_handlers_run_than_the_concurrency(bench: Bench) -> None:
    running, most = 0, 0

    @bench.task()
    async def task() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1

    async with bench.sessions.begin() as session:
        handles = session.enqueue_many(task, [{}] * 30)
    async with bench.worker(concurrency=3):
        for handle in handles:
            await bench.until_state(handle, "done")
    assert most == 3


async def test_the_context_tells_which_attempt_of_which_job_it_is(bench: Bench) -> None:
    contexts: list[JobContext] = []

    @bench.task(name="billing.send", queue="billing", retries=2, retry_delay=0)
    async def task(ctx: JobContext = inject()) -> None:
        contexts.append(ctx)
        if ctx.attempt < 3:
            raise ValueError("again")

    handle = await bench.soniq.enqueue(task)
    async with bench.worker():
        row = await bench.until_state(handle, "done")
    assert [ctx.attempt for ctx in contexts] == [1, 2, 3]
    last = contexts[-1]
    assert (last.job_id, last.task, last.queue) == (handle.id, "billing.send", "billing")
    assert (last.max_attempts, last.worker_id) == (3, row.worker_id)
    assert (last.run_at, last.created_at) == (row.run_at, row.created_at)


async def test_an_async_handler_gets_a_session(bench: Bench) -> None:
    @bench.task()
    async def task(
        note: str, session: AsyncSession = inject(), *, ctx: JobContext = inject()
    ) -> None:
        session.add(Effect(job_id=ctx.job_id, note=note))

    handle = await bench.soniq.enqueue(task, "async")
    async with bench.worker():
        row = await bench.until_state(handle, "done")
    assert await bench.effects() == ["async"]
    assert (row.attempts, row.claims) == (1, 1)


async def test_a_sync_handler_gets_a_session(bench: Bench) -> None:
    @bench.task()
    def task(note: str, *, ctx: JobContext = inject(), session: Session = inject()) -> None:
        session.add(Effect(job_id=ctx.job_id, note=note))

    handle = await bench.soniq.enqueue(task, "sync")
    async with bench.worker():
        await bench.until_state(handle, "done")
    assert await bench.effects() == ["sync"]


async def test_the_default_values_are_those_of_the_code_that_runs(bench: Bench) -> None:
    seen: list[tuple[int, UUID | None]] = []

    @bench.task()
    async def task(number: int = 3, ident: UUID | None = None) -> None:
        seen.append((number, ident))

    handle = await bench.soniq.enqueue(task)
    assert (await bench.row(handle)).args == {}
    await bench.run_once()
    assert seen == [(3, None)]


async def test_context_variables_of_one_job_are_not_seen_by_the_next(bench: Bench) -> None:
    tenant = contextvars.ContextVar("tenant", default="nobody")
    seen: list[str] = []

    @bench.task()
    async def on_the_loop() -> None:
        seen.append(tenant.get())
        tenant.set("on the loop")

    @bench.task()
    def in_a_thread() -> None:
        seen.append(tenant.get())
        tenant.set("in a thread")

    async with bench.sessions.begin() as session:
        for _ in range(100):
            session.enqueue(on_the_loop)
            last = session.enqueue(in_a_thread)
    async with bench.worker(concurrency=2):
        await bench.until_state(last, "done")
        await bench.until(lambda: len(seen) == 200, "all jobs")
    assert set(seen) == {"nobody"}


async def test_stored_arguments_that_do_not_fit_make_the_job_dead_without_a_retry(
    bench: Bench,
) -> None:
    calls: list[int] = []

    @bench.task(retries=5)
    async def task(number: int) -> None:
        calls.append(number)

    wrong, good = [await bench.soniq.enqueue(task, number) for number in (1, 2)]
    await bench.rows(
        """UPDATE soniq_jobs SET args = '{"number": "many"}' WHERE id = :id""", id=wrong.id
    )
    async with bench.worker():
        row = await bench.until_state(wrong, "dead")
        await bench.until_state(good, "done")
    assert row.reason == "invalid arguments"
    assert "'number'" in row.error
    assert "integer" in row.error
    assert calls == [2]
    (attempt,) = await bench.attempts(wrong)
    assert attempt.outcome == "invalid arguments"


async def test_a_new_required_parameter_makes_an_older_job_dead(bench: Bench) -> None:
    @bench.task()
    async def task(number: int, *, currency: str) -> None:
        raise AssertionError(number, currency)

    handle = await bench.soniq.enqueue(task, 1, currency="EUR")
    await bench.rows("UPDATE soniq_jobs SET args = args - 'currency' WHERE id = :id", id=handle.id)
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert row.reason == "invalid arguments"
    assert "currency" in row.error
