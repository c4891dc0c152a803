"""A worker process is killed: its jobs start again elsewhere (P3, P4)."""

import signal
import time

import pytest

from tests.process import shop
from tests.process.yard import SHORT_LEASE, Yard, until

TAKEOVER = 3.0


def test_the_job_of_a_killed_worker_starts_again_within_three_seconds(yard: Yard) -> None:
    """With default settings, and direct connections."""
    yard.worker()
    yard.worker()
    for _ in range(3):
        gate = yard.gate()
        handle = yard.enqueue(shop.charge, str(gate))
        first = yard.until_starts(handle)
        killed = yard.worker_of(first.process)
        began = time.time()
        killed.kill()
        second = yard.until_starts(handle, 2, TAKEOVER)
        gate.touch()
        row = yard.until_state(handle, "done")
        assert second.at - began < TAKEOVER
        assert yard.effects(handle) == [second.process] != [first.process]
        assert (row.crashes, row.attempts, row.claims) == (1, 1, 2)
        (attempt,) = yard.rows("SELECT * FROM soniq_attempts WHERE job_id = %s", handle.id)
        assert (attempt.claim, attempt.outcome) == (1, "crashed")
        assert [line.attempt for line in yard.starts(handle)] == [1, 1]
        yard.workers.remove(killed)
        yard.worker()


def test_a_worker_that_is_killed_right_after_its_start_is_noticed_as_soon(yard: Yard) -> None:
    """The other one was alone for long, and does not know of it yet."""
    old = yard.worker(SONIQ_SA_CONCURRENCY="1")
    until(
        lambda: bool(yard.rows("SELECT 1 FROM soniq_workers WHERE beat_at > started_at")),
        "the first beat",
    )
    old_gate, gate = yard.gate(), yard.gate()
    held = yard.enqueue(shop.wait, str(old_gate))
    yard.until_starts(held)
    young = yard.worker()
    handle = yard.enqueue(shop.charge, str(gate))
    assert yard.until_starts(handle).process == young.pid
    began = time.time()
    young.kill()
    old_gate.touch()
    gate.touch()
    second = yard.until_starts(handle, 2)
    assert second.process == old.pid
    assert second.at - began < TAKEOVER


def test_every_job_of_a_killed_worker_is_done_elsewhere_with_effects_once(yard: Yard) -> None:
    first, second = yard.worker(**SHORT_LEASE), yard.worker(**SHORT_LEASE)
    gate = yard.gate()
    handles = yard.enqueue_many(shop.charge, 5, gate=str(gate))
    handles += yard.enqueue_many(shop.charge_sync, 5, gate=str(gate))
    handles += yard.enqueue_many(shop.wait, 5, gate=str(gate))
    for handle in handles:
        yard.until_starts(handle)
    first.kill()
    later = yard.enqueue_many(shop.charge, 20)
    gate.touch()
    for handle in (*handles, *later):
        yard.until_state(handle, "done")
    for handle in (*handles[:10], *later):
        assert len(yard.effects(handle)) == 1
        assert len(yard.starts(handle)) <= 2
    assert second.popen.poll() is None
    assert yard.violations() == ()


def test_after_a_kill_a_new_worker_of_the_same_host_finds_the_jobs(yard: Yard) -> None:
    """No other worker was there to take over; ids of hosts and processes do not matter."""
    gate = yard.gate()
    first = yard.worker(**SHORT_LEASE)
    handle = yard.enqueue(shop.charge, str(gate))
    yard.until_starts(handle)
    ((name,),) = yard.rows("SELECT name FROM soniq_workers")
    first.kill()
    yard.rows("UPDATE soniq_workers SET name = %s", "the-same:1")
    yard.worker(**SHORT_LEASE)
    yard.until_starts(handle, 2, TAKEOVER)
    gate.touch()
    row = yard.until_state(handle, "done")
    assert row.crashes == 1
    assert len(yard.effects(handle)) == 1
    assert name.endswith(f":{first.pid}")


@pytest.mark.parametrize("task", [shop.wait, shop.charge_sync])
def test_a_worker_that_is_killed_while_it_drains_loses_nothing(yard: Yard, task: object) -> None:
    gate = yard.gate()
    first = yard.worker(**SHORT_LEASE)
    handle = yard.enqueue(task, str(gate))
    yard.until_starts(handle)
    second = yard.worker(**SHORT_LEASE)
    first.signal(signal.SIGTERM)
    first.until_log("worker stops")
    first.kill()
    start = yard.until_starts(handle, 2, TAKEOVER)
    assert start.process == second.pid
    gate.touch()
    row = yard.until_state(handle, "done")
    assert (row.attempts, row.crashes) == (1, 1)
