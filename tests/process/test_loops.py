"""Workers on asyncio's own event loop and on uvloop: both do all that a worker does."""

import os
import signal

import pytest

from tests.process import shop
from tests.process.test_database import TERMINATE, listeners
from tests.process.test_signals import UNREACHED, assert_released, stop
from tests.process.yard import SHORT_LEASE, WorkerProcess, Yard, until


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> str:
    """Return the name of an event loop."""
    name: str = request.param
    return name


def sound(worker: WorkerProcess, loop: str) -> bool:
    """Tell whether a worker runs on that loop, and nothing in it went wrong."""
    wrong = ("Traceback", "failed, and tries again", "Exception in", "was never")
    return f", loop: {loop}, " in worker.log and not any(part in worker.log for part in wrong)


def test_all_kinds_of_handlers_are_woken_run_and_drained(yard: Yard, loop: str) -> None:
    worker = yard.worker(
        SONIQ_SA_LOOP=loop, SONIQ_SA_POLL_INTERVAL=UNREACHED, SONIQ_SA_DRAIN_TIMEOUT=UNREACHED
    )
    for task in (shop.quick, shop.charge, shop.charge_sync, shop.fail_once):
        yard.until_state(yard.enqueue(task), "done")
    gate = yard.gate()
    tasks = (shop.wait, shop.wait_sync, shop.charge, shop.charge_sync)
    handles = [yard.enqueue(task, str(gate)) for task in tasks]
    for handle in handles:
        yard.until_starts(handle)
    worker.signal(signal.SIGTERM)
    worker.until_log("worker stops")
    gate.touch()
    assert worker.exit_code() == 0
    assert [yard.row(handle).state for handle in handles] == ["done"] * 4
    assert [len(yard.effects(handle)) for handle in handles] == [0, 0, 1, 1]
    assert sound(worker, loop), worker.log


def test_what_does_not_end_is_given_back_and_does_not_hold_up_the_exit(
    yard: Yard, loop: str
) -> None:
    worker = yard.worker(SONIQ_SA_LOOP=loop, SONIQ_SA_DRAIN_TIMEOUT=UNREACHED)
    tasks = (shop.never_ends, shop.never_ends_async, shop.never_ends_in_executor)
    handles = [yard.enqueue(task) for task in tasks]
    for handle in handles:
        yard.until_starts(handle)
    worker.signal(signal.SIGINT)
    worker.until_log("worker stops")
    stop(worker, signal.SIGINT)
    for handle in handles:
        assert_released(yard, handle)


def test_a_worker_whose_connections_were_closed_comes_back_and_is_woken(
    yard: Yard, loop: str
) -> None:
    worker = yard.worker(SONIQ_SA_LOOP=loop, SONIQ_SA_POLL_INTERVAL=UNREACHED)
    yard.until_state(yard.enqueue(shop.charge), "done")
    assert yard.rows(TERMINATE)
    until(lambda: listeners(yard) >= 1, "the worker to listen again")
    yard.until_state(yard.enqueue(shop.charge), "done")
    yard.until_state(yard.enqueue(shop.charge_sync), "done")
    assert sound(worker, loop), worker.log


def test_a_handler_that_blocks_the_loop_does_not_make_the_worker_look_dead(
    yard: Yard, loop: str
) -> None:
    blocked = yard.worker(SONIQ_SA_LOOP=loop, **SHORT_LEASE)
    handle = yard.enqueue(shop.block, 4)
    yard.until_starts(handle)
    other = yard.worker(SONIQ_SA_LOOP=loop, **SHORT_LEASE)
    row = yard.until_state(handle, "done")
    assert (row.claims, row.crashes) == (1, 0)
    assert "took over" not in other.log
    assert sound(blocked, loop), blocked.log


def test_a_worker_that_slept_past_its_lease_drops_its_jobs_and_works_on(
    yard: Yard, loop: str
) -> None:
    zombie = yard.worker(SONIQ_SA_LOOP=loop, **SHORT_LEASE)
    gate = yard.gate()
    handle = yard.enqueue(shop.charge, str(gate))
    yard.until_starts(handle)
    other = yard.worker(SONIQ_SA_LOOP=loop, **SHORT_LEASE)
    os.kill(zombie.pid, signal.SIGSTOP)
    assert yard.until_starts(handle, 2).process == other.pid
    os.kill(zombie.pid, signal.SIGCONT)
    zombie.until_log("taken for dead")
    gate.touch()
    yard.until_state(handle, "done")
    assert yard.effects(handle) == [other.pid]
    stop(other)
    yard.until_state(yard.enqueue(shop.charge), "done")
