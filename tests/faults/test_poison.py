"""A job that ends its process, among innocent ones that run there too (P4)."""

from collections.abc import Callable
from uuid import UUID

import pytest

from soniq_sa import JobHandle
from tests.faults.cgroups import memory_group
from tests.process import shop
from tests.process.yard import SHORT_LEASE, WorkerProcess, Yard, until

INNOCENT = 200
MEMORY = 256 << 20
"""Bytes that a worker may have, where it may not have all."""


@pytest.mark.parametrize(("kind", "workers"), [("exit", 1), ("segfault", 2), ("kill", 2)])
def test_a_poison_is_dead_after_three_crashes_and_the_innocent_start_twice_at_most(
    yard: Yard, kind: str, workers: int
) -> None:
    """Whoever restarts the workers: here each that has died is replaced."""
    end_among_innocent_jobs(yard, kind, workers, lambda _: None)


def test_a_job_that_takes_all_memory_is_dead_after_three_crashes_too(yard: Yard) -> None:
    """The kernel kills its worker, for the control group has no more."""
    with memory_group(MEMORY) as group:
        try:
            end_among_innocent_jobs(yard, "memory", 2, lambda worker: group.add(worker.popen.pid))
        finally:
            yard.kill_workers()


def end_among_innocent_jobs(
    yard: Yard, kind: str, workers: int, prepare: Callable[[WorkerProcess], object]
) -> None:
    """Have a poison run until it is dead; ``prepare`` is called with each worker that starts."""

    def start() -> WorkerProcess:
        worker = yard.starting_worker(**SHORT_LEASE)
        prepare(worker)
        return worker

    with yard.sessions.begin() as session:
        innocent = session.enqueue_many(shop.nap, [{"seconds": 0.02}] * (INNOCENT // 2))
        (poison,) = session.enqueue_many(shop.poison, [{"kind": kind}])
        innocent += session.enqueue_many(shop.nap, [{"seconds": 0.02}] * (INNOCENT // 2))
    crew = [start() for _ in range(workers)]
    until(lambda: poison_is_dead(yard, crew, poison, start), lambda: str(yard.row(poison)), 60)
    row = yard.row(poison)
    assert (row.reason, row.crashes) == ("crashed worker", 3)
    assert len(yard.starts(poison)) == 3
    until(lambda: not unfinished(yard), lambda: str(unfinished(yard)), 60)
    starts = starts_by_job(yard)
    assert max(starts[handle.id] for handle in innocent) == 2, "no innocent job was there"
    assert yard.rows("SELECT DISTINCT state FROM soniq_jobs WHERE task = 'nap'") == [("done",)]


def poison_is_dead(
    yard: Yard,
    crew: list[WorkerProcess],
    poison: JobHandle[None],
    start: Callable[[], WorkerProcess],
) -> bool:
    """Tell whether the job is dead; replace the workers that are."""
    for place, worker in enumerate(crew):
        if worker.popen.poll() is not None:
            crew[place] = start()
    return bool(yard.row(poison).state == "dead")


def unfinished(yard: Yard) -> list[object]:
    """Return the jobs that have something before them."""
    return list(yard.rows("SELECT * FROM soniq_jobs WHERE finished_at IS NULL"))


def starts_by_job(yard: Yard) -> dict[UUID, int]:
    """Return how often each job was started."""
    found: dict[UUID, int] = {}
    for line in yard.lines(what="start"):
        found[line.job] = found.get(line.job, 0) + 1
    return found


def test_innocent_jobs_that_run_long_do_not_wait_for_each_other(yard: Yard) -> None:
    """Those of a killed worker begin again soon, although each may have been the cause."""
    gate = yard.gate()
    first = yard.worker(**SHORT_LEASE)
    handles = yard.enqueue_many(shop.wait, 20, gate=str(gate))
    for handle in handles:
        yard.until_starts(handle)
    first.kill()
    yard.worker(**SHORT_LEASE)
    for handle in handles:
        yard.until_starts(handle, 2)
    gate.touch()
    for handle in handles:
        assert yard.until_state(handle, "done").crashes == 1
