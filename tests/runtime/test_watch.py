"""What blocks the event loop is told while it does, by a thread."""

import asyncio
import threading
import time
from typing import Any

import pytest

from soniq_sa import Worker
from soniq_sa.events import Event, JobsDone, LoopBlocked, LoopFreed, WorkerDraining, WorkerStopped
from soniq_sa.runtime.host import Host, NoGuard
from tests.runtime.bench import PATIENCE, Bench


class Told:
    """Lets a handler go when an event of one kind was told, and keeps in which thread that was."""

    def __init__(self, bench: Bench, kind: type[Event]) -> None:
        self.kind = kind
        self.came = threading.Event()
        self.thread: threading.Thread | None = None
        bench.soniq.events.subscribe(self._look)

    def _look(self, event: Event) -> None:
        if isinstance(event, self.kind):
            self.thread = threading.current_thread()
            self.came.set()


async def test_a_blocked_loop_is_told_by_a_thread_with_the_job_and_its_place(bench: Bench) -> None:
    told = Told(bench, LoopBlocked)

    @bench.task()
    async def blocking() -> None:
        assert told.came.wait(PATIENCE)

    async with bench.worker():
        handle = await bench.soniq.enqueue(blocking)
        await bench.until_state(handle, "done")
        await bench.until(lambda: bool(bench.events_of(LoopFreed)), "the loop to be free again")
    (blocked,) = bench.events_of(LoopBlocked)
    (freed,) = bench.events_of(LoopFreed)
    assert (blocked.task, blocked.job_id, blocked.gil_held) == ("blocking", handle.id, False)
    assert blocked.stack.lstrip().startswith(f'File "{__file__}"')
    assert "in blocking\n" in blocked.stack
    assert told.thread is not threading.current_thread()
    assert (freed.task, freed.seconds >= blocked.seconds >= 1) == ("blocking", True)


async def test_a_task_that_a_handler_has_started_is_told_by_the_name_of_the_only_job(
    bench: Bench,
) -> None:
    told = Told(bench, LoopBlocked)

    async def child() -> None:
        assert told.came.wait(PATIENCE)

    @bench.task()
    async def parent() -> None:
        await asyncio.create_task(child())

    async with bench.worker():
        handle = await bench.soniq.enqueue(parent)
        await bench.until_state(handle, "done")
    (blocked,) = bench.events_of(LoopBlocked)
    assert (blocked.task, blocked.job_id) == ("parent", handle.id)
    assert "in child\n" in blocked.stack


async def test_each_time_is_told_once(bench: Bench) -> None:
    @bench.task()
    async def blocking(seen: int) -> None:
        told = bench.events_of(LoopBlocked)
        deadline = time.monotonic() + PATIENCE
        while len(bench.events_of(LoopBlocked)) == seen and time.monotonic() < deadline:
            pass
        assert len(told) == seen

    async with bench.worker():
        for turn in (0, 1):
            await bench.until_state(await bench.soniq.enqueue(blocking, turn), "done")
            await bench.until(lambda n=turn: len(bench.events_of(LoopFreed)) > n, "free")  # type: ignore[misc]
    assert len(bench.events_of(LoopBlocked)) == len(bench.events_of(LoopFreed)) == 2


async def test_handlers_that_wait_or_run_in_threads_block_nothing(bench: Bench) -> None:
    @bench.task()
    async def waiting() -> None:
        await asyncio.sleep(2.5)

    @bench.task()
    def sleeping() -> None:
        time.sleep(2.5)

    async with bench.worker():
        handles: list[Any] = [await bench.soniq.enqueue(one) for one in (waiting, sleeping)]
        for handle in handles:
            await bench.until_state(handle, "done")
    assert not bench.events_of(LoopBlocked)


async def test_an_embedded_worker_never_ends_the_process_of_its_program(bench: Bench) -> None:
    draining = Told(bench, WorkerDraining)
    worker = Worker(bench.soniq, drain_timeout=0)

    @bench.task()
    async def blocking() -> None:
        worker.stop_threadsafe()
        assert draining.came.wait(PATIENCE)
        time.sleep(1)  # noqa: ASYNC251 - the thread could do more in this time

    handle = await bench.soniq.enqueue(blocking)
    async with asyncio.timeout(PATIENCE):
        await worker.run()
    assert draining.thread is not threading.current_thread()
    assert (await bench.row(handle)).state == "done"
    assert [event.released for event in bench.events_of(WorkerStopped)] == [0]


async def test_a_worker_can_be_stopped_from_another_thread(bench: Bench) -> None:
    @bench.task()
    async def quick() -> None: ...

    worker = Worker(bench.soniq)
    running = asyncio.create_task(worker.run())
    await bench.until_state(await bench.soniq.enqueue(quick), "done")
    threading.Thread(target=worker.stop_threadsafe).start()
    async with asyncio.timeout(PATIENCE):
        await running
    assert bench.events_of(JobsDone)


async def test_a_worker_leaves_no_watching_thread_behind(bench: Bench) -> None:
    @bench.task()
    async def quick() -> None: ...

    async with bench.worker():
        await bench.until_state(await bench.soniq.enqueue(quick), "done")
    await bench.until(
        lambda: "soniq-sa-watch" not in {one.name for one in threading.enumerate()},
        "the thread to end",
    )


class ToldByGuard(NoGuard):
    """A guard that has noticed what the test says."""

    def __init__(self) -> None:
        self.held: list[tuple[float, LoopBlocked]] = []

    def told(self) -> list[tuple[float, LoopBlocked]]:
        """Return it, once."""
        held, self.held = self.held, []
        return held

    def note(self, *tasks: str, seconds: float) -> None:
        """Notice that Python's lock is held from now on, by one after the other."""
        self.held = [
            (time.monotonic(), LoopBlocked(one, None, seconds, "", gil_held=True)) for one in tasks
        ]


@pytest.fixture
def guard() -> ToldByGuard:
    return ToldByGuard()


async def test_an_answer_from_before_the_lock_was_free_does_not_free_the_loop(
    bench: Bench, guard: ToldByGuard
) -> None:
    @bench.task()
    async def waiting() -> None:
        guard.note("held", seconds=1.5)
        await bench.until(lambda: bool(bench.events_of(LoopFreed)), "the loop to be free again")

    async with bench.worker(host=Host(guard)):
        await bench.until_state(await bench.soniq.enqueue(waiting), "done")
    (freed,) = bench.events_of(LoopFreed)
    assert freed.task == "held"
    assert freed.seconds >= 1.5


async def test_each_of_two_that_keep_the_lock_has_its_end(bench: Bench, guard: ToldByGuard) -> None:
    @bench.task()
    async def waiting() -> None:
        guard.note("first", "second", seconds=0)
        await bench.until(lambda: len(bench.events_of(LoopFreed)) == 2, "both to be over")

    async with bench.worker(host=Host(guard)):
        await bench.until_state(await bench.soniq.enqueue(waiting), "done")
    assert [one.task for one in bench.events_of(LoopFreed)] == ["first", "second"]
    assert all(one.seconds >= 0 for one in bench.events_of(LoopFreed))


async def test_a_loop_that_is_not_asked_to_answer_is_free_when_the_thread_runs(
    bench: Bench, guard: ToldByGuard
) -> None:
    @bench.task()
    async def quick() -> None: ...

    async with bench.worker(host=Host(guard)):
        await bench.until_state(await bench.soniq.enqueue(quick), "done")
        guard.note("gone", seconds=60)
        await bench.until(lambda: bool(bench.events_of(LoopFreed)), "the loop to be free again")
    assert bench.events_of(LoopFreed)[0].task == "gone"
