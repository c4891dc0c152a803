"""SIGTERM while handlers do not let go: the worker leaves in time, with 0, and their jobs go elsewhere."""

import signal
import time
from typing import Any

import pytest

from tests.faults import blockers
from tests.process.crew import Crew, assert_exits
from tests.process.test_signals import UNREACHED, assert_released, stop
from tests.process.yard import LOOP, WorkerProcess, Yard

BLOCKING = (blockers.asleep, blockers.busy)
STUBBORN = (*BLOCKING, blockers.busy_sync)
LONG = 60.0
"""Seconds that no test waits: a worker that ended sooner did not wait for the handler."""


@pytest.fixture(autouse=True)
def _blockers(yard: Yard) -> None:
    yard.arguments = ("--app", "tests.faults.blockers:soniq")


def working_on(yard: Yard, task: Any, **settings: str) -> tuple[WorkerProcess, Any]:
    """Start a worker, and have it begin a job that does not let go."""
    worker = yard.worker(**settings)
    handle = yard.enqueue(task, LONG)
    yard.until_starts(handle)
    return worker, handle


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("task", STUBBORN)
def test_the_worker_ends_after_the_drain_timeout_and_the_job_starts_elsewhere(
    yard: Yard, task: blockers.Blocker, loop: str
) -> None:
    leaving, handle = working_on(yard, task, SONIQ_SA_LOOP=loop, SONIQ_SA_DRAIN_TIMEOUT="1")
    staying = yard.worker(SONIQ_SA_LOOP=loop, SONIQ_SA_POLL_INTERVAL=UNREACHED)
    assert stop(leaving) >= 1
    assert yard.until_starts(handle, 2).process == staying.pid
    row = yard.row(handle)
    assert (row.attempts, row.crashes, row.claims) == (0, 0, 2)
    assert len(yard.rows("SELECT * FROM soniq_workers")) == 1
    assert "worker stopped, 1 jobs released" in leaving.log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("task", STUBBORN)
def test_a_second_signal_gives_the_job_back_and_ends_the_worker_at_once(
    yard: Yard, task: blockers.Blocker, number: signal.Signals
) -> None:
    worker, handle = working_on(yard, task, SONIQ_SA_DRAIN_TIMEOUT=UNREACHED)
    worker.signal(number)
    worker.until_log("worker stops")
    stop(worker, number)
    assert_released(yard, handle)
    assert yard.rows("SELECT * FROM soniq_workers") == []


@pytest.mark.parametrize("task", BLOCKING)
def test_jobs_that_could_not_start_behind_it_are_given_back_too(
    yard: Yard, task: blockers.Blocker
) -> None:
    worker = yard.worker(SONIQ_SA_DRAIN_TIMEOUT="0.5")
    handles = yard.enqueue_many(task, 20, seconds=LONG)
    yard.until_starts(handles[0])
    assert sum(yard.row(handle).claims for handle in handles) > 1
    stop(worker)
    assert len(yard.lines(what="start")) == 1
    for handle in handles:
        assert_released(yard, handle, yard.row(handle).claims)


def test_a_handler_that_lets_go_in_time_is_finished(yard: Yard) -> None:
    worker = yard.worker(SONIQ_SA_DRAIN_TIMEOUT=UNREACHED)
    handle = yard.enqueue(blockers.asleep, 3)
    yard.until_starts(handle)
    stop(worker)
    row = yard.row(handle)
    assert (row.state, row.attempts, row.claims) == ("done", 1, 1)


def test_the_time_that_the_loop_was_blocked_counts_for_the_drain(yard: Yard) -> None:
    """The handlers that are left when the loop is free again have what is left of the timeout."""
    worker = yard.worker(SONIQ_SA_DRAIN_TIMEOUT="4")
    waiting = yard.enqueue(blockers.attentive, LONG)
    yard.until_starts(waiting)
    blocking = yard.enqueue(blockers.asleep, 3)
    yard.until_starts(blocking)
    began = time.monotonic()
    worker.signal(signal.SIGTERM)
    worker.until_log("worker stops")
    assert worker.exit_code() == 0
    assert yard.row(blocking).state == "done"
    assert_released(yard, waiting)
    assert time.monotonic() - began >= 4


@pytest.mark.parametrize("task", BLOCKING)
def test_each_of_several_processes_drains_and_hurries_with_a_blocked_loop(
    yard: Yard, task: blockers.Blocker
) -> None:
    crew = Crew(
        yard,
        2,
        "--app",
        "tests.faults.blockers:soniq",
        SONIQ_SA_CONCURRENCY="1",
        SONIQ_SA_LOOP=LOOP,
    )
    try:
        crew.until_complete()
        handles = [yard.enqueue(task, LONG) for _ in range(2)]
        for handle in handles:
            yard.until_starts(handle)
        crew.supervisor.signal(signal.SIGTERM)
        crew.until_all_log(": worker stops")
        crew.supervisor.signal(signal.SIGTERM)
        assert_exits(crew.supervisor)
        crew.until_gone()
    finally:
        crew.close()
    for handle in handles:
        assert_released(yard, handle)
    assert yard.rows("SELECT * FROM soniq_workers") == []
