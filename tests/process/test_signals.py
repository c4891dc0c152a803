"""SIGTERM and SIGINT: what runs may finish, the rest is given back, the exit code is 0."""

import signal
import time
from typing import Any

import pytest

from tests.process import shop
from tests.process.yard import WorkerProcess, Yard

DRAIN = 1.0
UNREACHED = "60"
"""Seconds that no test waits: a worker that ended sooner did not wait for this timeout."""


def stop(worker: WorkerProcess, number: signal.Signals = signal.SIGTERM) -> float:
    """Send a signal, wait for exit code 0, and return the seconds that it took."""
    began = time.monotonic()
    worker.signal(number)
    assert worker.exit_code() == 0, worker.log
    return time.monotonic() - began


def assert_released(yard: Yard, handle: Any, claims: int = 1) -> None:
    """Check that a job is back in its queue, and no attempt of it was counted."""
    row = yard.row(handle)
    assert (row.state, row.attempts, row.crashes, row.claims) == ("queued", 0, 0, claims)
    assert (row.worker_id, row.error) == (None, None)
    assert yard.rows("SELECT * FROM soniq_attempts WHERE job_id = %s", handle.id) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_worker_exits_at_once(yard: Yard, number: signal.Signals) -> None:
    worker = yard.worker(SONIQ_SA_POLL_INTERVAL=UNREACHED, SONIQ_SA_DRAIN_TIMEOUT=UNREACHED)
    stop(worker, number)
    assert yard.rows("SELECT * FROM soniq_workers") == []
    assert "worker stopped" in worker.log
    assert "Traceback" not in worker.log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_short_jobs_are_finished(yard: Yard, number: signal.Signals) -> None:
    worker = yard.worker(SONIQ_SA_DRAIN_TIMEOUT=UNREACHED)
    handles = [
        yard.enqueue(task, 0.5)
        for task in (shop.nap, shop.nap_sync, shop.nap_in_session, shop.nap_in_sync_session)
    ]
    for handle in handles:
        yard.until_starts(handle)
    stop(worker, number)
    for handle in handles:
        row = yard.row(handle)
        assert (row.state, row.attempts) == ("done", 1)
    assert [len(yard.effects(handle)) for handle in handles] == [0, 0, 1, 1]
    assert "Traceback" not in worker.log


def test_long_jobs_are_released_and_start_elsewhere_at_once(yard: Yard) -> None:
    worker = yard.worker(SONIQ_SA_DRAIN_TIMEOUT=str(DRAIN))
    gate = yard.gate()
    tasks = (shop.wait, shop.wait_sync, shop.charge, shop.charge_sync)
    handles = [yard.enqueue(task, str(gate)) for task in tasks]
    for handle in handles:
        yard.until_starts(handle)
    assert stop(worker) >= DRAIN
    for handle in handles:
        assert_released(yard, handle)
        assert yard.effects(handle) == []
    gate.touch()
    second = yard.worker()
    for handle in handles:
        row = yard.until_state(handle, "done")
        assert (row.attempts, row.claims) == (1, 2)
        assert yard.starts(handle)[-1].process == second.pid
        assert yard.starts(handle)[-1].attempt == 1


def test_another_worker_takes_the_released_jobs_without_waiting_for_its_poll(yard: Yard) -> None:
    leaving = yard.worker(SONIQ_SA_DRAIN_TIMEOUT="0.2", SONIQ_SA_POLL_INTERVAL=UNREACHED)
    gate = yard.gate()
    handle = yard.enqueue(shop.wait, str(gate))
    yard.until_starts(handle)
    staying = yard.worker(SONIQ_SA_POLL_INTERVAL=UNREACHED)
    stop(leaving)
    assert yard.until_starts(handle, 2).process == staying.pid
    gate.touch()
    assert yard.until_state(handle, "done").crashes == 0


@pytest.mark.parametrize(
    "task", [shop.never_ends, shop.never_ends_async, shop.never_ends_in_executor]
)
def test_a_handler_that_never_ends_does_not_hold_up_the_exit(yard: Yard, task: Any) -> None:
    worker = yard.worker(SONIQ_SA_DRAIN_TIMEOUT=str(DRAIN))
    handle = yard.enqueue(task)
    yard.until_starts(handle)
    stop(worker)
    assert_released(yard, handle)


def test_a_worker_that_drains_takes_no_new_jobs(yard: Yard) -> None:
    worker = yard.worker()
    gate = yard.gate()
    handle = yard.enqueue(shop.wait, str(gate))
    yard.until_starts(handle)
    worker.signal(signal.SIGTERM)
    worker.until_log("worker stops")
    later = yard.enqueue(shop.quick)
    gate.touch()
    assert worker.exit_code() == 0
    assert yard.row(handle).state == "done"
    assert_released(yard, later, claims=0)


def test_jobs_that_wait_behind_others_are_given_back_at_once(yard: Yard) -> None:
    worker = yard.worker(SONIQ_SA_CONCURRENCY="2")
    gate = yard.gate()
    handles = yard.enqueue_many(shop.wait, 10, gate=str(gate))
    for handle in handles[:2]:
        yard.until_starts(handle)
    worker.signal(signal.SIGTERM)
    worker.until_log("worker stops")
    other = yard.worker()
    for handle in handles[2:]:
        assert yard.until_starts(handle).process == other.pid
    gate.touch()
    assert worker.exit_code() == 0
    for handle in handles:
        assert yard.until_state(handle, "done").attempts == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_releases_everything_and_exits_at_once(
    yard: Yard, number: signal.Signals
) -> None:
    worker = yard.worker(SONIQ_SA_DRAIN_TIMEOUT=UNREACHED)
    gate = yard.gate()
    tasks = (shop.wait, shop.wait_sync, shop.charge, shop.charge_sync)
    handles = [yard.enqueue(task, str(gate)) for task in tasks]
    handles.append(yard.enqueue(shop.never_ends))
    for handle in handles:
        yard.until_starts(handle)
    worker.signal(number)
    worker.until_log("worker stops")
    stop(worker, number)
    for handle in handles:
        assert_released(yard, handle)
    assert yard.rows("SELECT * FROM soniq_workers") == []


def test_nothing_of_a_stopped_worker_is_left_in_the_database(yard: Yard) -> None:
    worker = yard.worker()
    for handle in (yard.enqueue(shop.charge), yard.enqueue(shop.charge_sync)):
        yard.until_state(handle, "done")
    stop(worker)
    assert yard.rows("SELECT * FROM soniq_workers") == []
    assert yard.rows("SELECT * FROM pg_locks WHERE locktype = 'advisory'") == []
    assert (
        yard.rows(
            "SELECT * FROM pg_stat_activity WHERE datname = current_database() "
            "AND state LIKE 'idle in transaction%'"
        )
        == []
    )


def test_run_once_exits_zero_when_nothing_is_due(yard: Yard) -> None:
    yard.arguments = ("--run-once",)
    handles = yard.enqueue_many(shop.charge, 20)
    later = yard.enqueue(shop.quick.options(delay=3600))
    assert yard.starting_worker().exit_code() == 0
    for handle in handles:
        assert yard.row(handle).state == "done"
        assert len(yard.effects(handle)) == 1
    assert yard.row(later).state == "scheduled"
