"""PostgreSQL is away for longer than a lease: nobody exits, nobody steals, nothing is lost (P4)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import psutil
import psycopg

from soniq_sa import JobHandle
from tests.faults.proxy import Proxy, proxy_before
from tests.process import shop
from tests.process.private_server import PrivateServer
from tests.process.yard import WorkerProcess, Yard, until

LEASE = {"SONIQ_SA_LEASE": "4", "SONIQ_SA_HEARTBEAT": "1"}
AWAY = 12.0
"""Seconds; several leases, and as many of the longest pauses."""
MOST_CPU = 0.25
"""The share of a processor that a worker may use meanwhile; it uses a hundredth on a machine at rest."""
PARTS = 9
"""The parts of a worker that each say once that the database is away."""


def test_after_an_outage_longer_than_their_leases_workers_keep_their_jobs(
    private_yard: Yard, private_server: PrivateServer
) -> None:
    """They run on meanwhile, in silence. What ended is written then, and nothing is run again."""
    yard = private_yard
    workers = [yard.worker(**LEASE) for _ in range(2)]
    gates = [yard.gate(), yard.gate()]
    ended = yard.enqueue_many(shop.wait, 10, gate=str(gates[0]))
    running = yard.enqueue_many(shop.wait_sync, 4, gate=str(gates[1]))
    in_session = yard.enqueue_many(shop.charge_without_retries, 4, gate=str(gates[1]))
    for handle in (*ended, *running, *in_session):
        yard.until_starts(handle)
    later = yard.enqueue_many(shop.charge, 20, gate=str(gates[1]))
    used = [cpu_seconds(worker) for worker in workers]
    private_server.stop_immediately()
    began = time.monotonic()
    gates[0].touch()
    until(lambda: len(yard.lines(what="end")) == len(ended), "the ends during the outage")
    until(lambda: time.monotonic() - began > AWAY, "a long outage", 2 * AWAY)
    for worker, before in zip(workers, used, strict=True):
        assert worker.popen.poll() is None
        assert cpu_seconds(worker) - before < AWAY * MOST_CPU
        assert worker.log.count("no database") <= PARTS
        assert len(worker.log.splitlines()) < 5 * PARTS
    private_server.start()
    for handle in ended:
        row = yard.until_state(handle, "done")
        assert (row.claims, row.crashes, len(yard.starts(handle))) == (1, 0, 1)
    gates[1].touch()
    for handle in running:
        row = yard.until_state(handle, "done")
        assert (row.claims, row.crashes, len(yard.starts(handle))) == (1, 0, 1)
    for handle in (*in_session, *later):
        row = yard.until_state(handle, "done")
        assert (row.crashes, row.attempts) == (0, 1)
        assert len(yard.effects(handle)) == 1
    for worker in workers:
        assert_sound(worker)


def cpu_seconds(worker: WorkerProcess) -> float:
    """Return what a process has computed so far."""
    times = psutil.Process(worker.pid).cpu_times()
    return float(times.user + times.system)


def assert_sound(worker: WorkerProcess) -> None:
    """Check that a worker runs, was never taken for dead, and met no error but the outage."""
    assert worker.popen.poll() is None, worker.log
    for told in ("failed, and tries again", "Traceback", "taken for dead", "took over"):
        assert told not in worker.log


def test_after_a_lost_network_workers_that_are_back_first_wait_for_the_others(
    yard: Yard, proxy: Proxy
) -> None:
    """The server has been there all the time; leases have ended, and locks are gone."""
    with proxy_before(yard.url) as slower:
        first, last = (yard.worker(url=one.url, **LEASE) for one in (proxy, slower))
        workers = (first, last)
        gate = yard.gate()
        handles = yard.enqueue_many(shop.wait, 10, gate=str(gate))
        for handle in handles:
            yard.until_starts(handle)
        proxy.cut_everything()
        slower.cut_everything()
        ended = "SELECT 1 FROM soniq_workers WHERE expires_at < clock_timestamp()"
        until(lambda: len(yard.rows(ended)) == 2, "both leases to end")
        for worker in workers:
            assert "the database is back" not in worker.log
        proxy.refusing = False
        first.until_log("rescuer: the database is back")
        slower.refusing = False
        last.until_log("lease: the database is back")
        assert len(yard.rows("SELECT 1 FROM soniq_workers")) == 2
        finish(yard, handles, gate)
        for worker in workers:
            assert_sound(worker)
        yard.kill_workers()  # they would connect anew while their proxy stops


def finish(yard: Yard, handles: list[JobHandle[Any]], gate: Path) -> None:
    """Let jobs end, and check that they were run once."""
    gate.touch()
    for handle in handles:
        row = yard.until_state(handle, "done")
        assert (row.claims, row.crashes, len(yard.starts(handle))) == (1, 0, 1)


def test_a_worker_that_died_in_an_outage_is_missed_after_it(
    private_yard: Yard, private_server: PrivateServer
) -> None:
    """Patience ends: its jobs are taken over some seconds after the server is back."""
    yard = private_yard
    gate = yard.gate()
    doomed = yard.worker(**LEASE)
    handle = yard.enqueue(shop.charge, str(gate))
    yard.until_starts(handle)
    other = yard.worker(**LEASE)
    private_server.stop_immediately()
    doomed.kill()
    private_server.start()
    gate.touch()
    assert yard.until_starts(handle, 2, 30).process == other.pid
    row = yard.until_state(handle, "done")
    assert (row.crashes, row.attempts) == (1, 1)
    assert yard.effects(handle) == [other.pid]


def test_restarts_in_a_row_under_load_lose_nothing(
    private_yard: Yard, private_server: PrivateServer
) -> None:
    """Jobs that have one attempt only are done as well: an outage is not their fault."""
    yard = private_yard
    workers = [yard.worker() for _ in range(2)]
    handles: list[JobHandle[Any]] = []
    for _ in range(3):
        handles += yard.enqueue_many(shop.charge_without_retries, 200)
        yard.enqueue_many(shop.quick, 200)
        seen = len(yard.lines(what="end"))
        until(lambda seen=seen: len(yard.lines(what="end")) > seen, "the load to run")  # type: ignore[misc]
        private_server.stop_immediately()
        private_server.start()
        yard.engine.dispose()
    until(lambda: left_of(yard) == 0, lambda: f"{left_of(yard)} jobs are left", 40)
    assert yard.rows("SELECT 1 FROM soniq_attempts") == []
    for handle in handles:
        assert len(yard.effects(handle)) == 1
    for worker in workers:
        assert_sound(worker)


def left_of(yard: Yard) -> int:
    """Return how many jobs are not done; -1 while the server does not answer."""
    try:
        ((count,),) = yard.rows("SELECT count(*) FROM soniq_jobs WHERE state <> 'done'")
    except psycopg.OperationalError:
        return -1
    return int(count)
