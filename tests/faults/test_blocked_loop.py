"""A handler that blocks the event loop: it is named while it does, and nobody starts it again."""

import os
import signal
import time

import pytest

from tests.faults import blockers
from tests.process.yard import LOOP, SHORT_LEASE, Yard, until

LEASE = float(SHORT_LEASE["SONIQ_SA_LEASE"])


def until_passed(seconds: float) -> None:
    """Wait until so much time has passed: long enough for what must not happen."""
    ends = time.monotonic() + seconds
    until(lambda: time.monotonic() > ends, "the time to pass")


@pytest.fixture(autouse=True)
def _blockers(yard: Yard) -> None:
    yard.arguments = ("--app", "tests.faults.blockers:soniq")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("task", [blockers.asleep_until, blockers.busy_until])
def test_it_is_logged_with_its_place_while_it_blocks_and_is_started_once(
    yard: Yard, task: blockers.Blocker, loop: str
) -> None:
    blocked = yard.worker(SONIQ_SA_LOOP=loop, **SHORT_LEASE)
    gate = yard.gate()
    handle = yard.enqueue(task, str(gate))
    yard.until_starts(handle)
    blocked.until_log(f"s by {task.name} {handle.id}; all other async handlers wait")
    assert f"in {task.name}\n" in blocked.log
    other = yard.worker(SONIQ_SA_LOOP=loop, **SHORT_LEASE)
    until_passed(2 * LEASE)
    gate.touch()
    row = yard.until_state(handle, "done")
    assert (row.claims, row.crashes, len(yard.starts(handle))) == (1, 0, 1)
    blocked.until_log(f"the event loop runs again, {task.name} has blocked it for ")
    assert "took over" not in other.log


def test_where_it_blocks_for_longer_than_it_may_take_its_jobs_start_elsewhere(yard: Yard) -> None:
    blocked = yard.worker(SONIQ_SA_LOOP=LOOP, **SHORT_LEASE)
    gate = yard.gate()
    handle = yard.enqueue(blockers.asleep_until.options(timeout=1), str(gate))
    yard.until_starts(handle)
    other = yard.worker(SONIQ_SA_LOOP=LOOP, **SHORT_LEASE)
    assert yard.until_starts(handle, 2).process == other.pid
    assert "longer than an attempt may take: the lease is not renewed" in blocked.log
    gate.touch()
    row = yard.until_state(handle, "done")
    assert (row.claims, row.crashes, row.attempts) == (2, 1, 1)
    blocked.until_log("taken for dead")


def test_a_process_that_was_stopped_and_continued_has_not_blocked_its_loop(yard: Yard) -> None:
    worker = yard.worker(SONIQ_SA_LOOP=LOOP, **SHORT_LEASE)
    handle = yard.enqueue(blockers.attentive, 60)
    yard.until_starts(handle)
    os.kill(worker.pid, signal.SIGSTOP)
    until_passed(2 * LEASE)
    os.kill(worker.pid, signal.SIGCONT)
    later = yard.enqueue(blockers.asleep, 0)
    yard.until_state(later, "done")
    assert "blocked" not in worker.log
    assert "run no Python" not in worker.log
