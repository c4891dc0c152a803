"""A process that sleeps past its lease is a zombie when it wakes: it changes nothing (P5)."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.process import shop
from tests.process.yard import SHORT_LEASE, WorkerProcess, Yard, until


@contextmanager
def paused(worker: WorkerProcess) -> Iterator[None]:
    """Stop a process, and let it go on at the end."""
    worker.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        worker.signal(signal.SIGCONT)


@pytest.mark.parametrize("task", [shop.charge, shop.charge_sync])
def test_a_zombie_with_a_session_commits_nothing_and_works_on(yard: Yard, task: object) -> None:
    zombie = yard.worker(**SHORT_LEASE)
    first_gate = yard.gate()
    handle = yard.enqueue(task, str(first_gate))
    assert yard.until_starts(handle).process == zombie.pid
    other = yard.worker(**SHORT_LEASE)
    with paused(zombie):
        assert yard.until_starts(handle, 2).process == other.pid
        first_gate.touch()
        row = yard.until_state(handle, "done")
        assert (row.crashes, row.attempts, row.claims) == (1, 1, 2)
    zombie.until_log("taken for dead")
    until(
        lambda: yard.rows("SELECT count(*) FROM soniq_workers") == [(2,)], "both to be registered"
    )
    assert yard.row(handle) == row
    assert yard.effects(handle) == [other.pid]
    assert_works_on(yard, zombie, other)


def test_a_zombie_does_not_overwrite_a_run_that_is_still_going_on(yard: Yard) -> None:
    """The zombie succeeds while the second run goes on; that one's failure counts, not the success."""
    zombie = yard.worker(**SHORT_LEASE)
    gates = [yard.gate(), yard.gate()]
    handle = yard.enqueue(shop.wait_by_turn, [str(gate) for gate in gates])
    assert yard.until_starts(handle).process == zombie.pid
    other = yard.worker(**SHORT_LEASE)
    with paused(zombie):
        assert yard.until_starts(handle, 2).process == other.pid
        gates[0].touch()
    zombie.until_log("taken for dead")
    until(lambda: zombie_is_through(yard, zombie), "the zombie's run to end")
    row = yard.row(handle)
    assert (row.state, row.claims, row.attempts) == ("processing", 2, 0)
    gates[1].touch()
    row = yard.until_state(handle, "dead")
    assert (row.reason, row.attempts) == ("retries exhausted", 1)
    assert "the second run fails" in row.error
    outcomes = yard.rows("SELECT outcome FROM soniq_attempts ORDER BY claim")
    assert outcomes == [("crashed",), ("failed",)]
    assert_works_on(yard, zombie, other)


def zombie_is_through(yard: Yard, zombie: WorkerProcess) -> bool:
    """Tell whether the zombie runs nothing any more: it has a new row, and can claim."""
    name = f"%:{zombie.pid}"
    return bool(yard.rows("SELECT 1 FROM soniq_workers WHERE name LIKE %s", name))


def assert_works_on(yard: Yard, zombie: WorkerProcess, other: WorkerProcess) -> None:
    """Check that the zombie does other work, under its new id."""
    other.signal(signal.SIGTERM)
    assert other.exit_code() == 0
    handles = yard.enqueue_many(shop.charge, 5)
    for handle in handles:
        row = yard.until_state(handle, "done")
        assert yard.effects(handle) == [zombie.pid]
        assert row.claims == 1
    assert zombie.popen.poll() is None


def test_a_pause_shorter_than_the_lease_changes_nothing(yard: Yard) -> None:
    settings = {**SHORT_LEASE, "SONIQ_SA_LEASE": "30"}
    paused_one = yard.worker(**settings)
    gate = yard.gate()
    handle = yard.enqueue(shop.charge, str(gate))
    yard.until_starts(handle)
    other = yard.worker(**settings)
    with paused(paused_one):
        ((before,),) = yard.rows("SELECT now()")
        until(
            lambda: bool(
                yard.rows(
                    "SELECT 1 FROM soniq_workers WHERE name LIKE %s "
                    "AND beat_at > %s::timestamptz + interval '2 s'",
                    f"%:{other.pid}",
                    before,
                )
            ),
            "two seconds",
        )
        gate.touch()
    row = yard.until_state(handle, "done")
    assert (row.claims, row.crashes) == (1, 0)
    assert yard.effects(handle) == [paused_one.pid]


def test_a_blocked_event_loop_is_not_a_dead_worker(yard: Yard) -> None:
    blocked = yard.worker(**SHORT_LEASE)
    handle = yard.enqueue(shop.block, 4)
    yard.until_starts(handle)
    other = yard.worker(**SHORT_LEASE)
    row = yard.until_state(handle, "done")
    assert (row.claims, row.crashes, row.attempts) == (1, 0, 1)
    assert [line.process for line in yard.starts(handle)] == [blocked.pid]
    assert "took over" not in other.log
    assert "taken for dead" not in blocked.log
