"""The database restarts, refuses, or closes connections: no worker exits, nothing is lost."""

import os
import signal
import socket
import time

import psycopg
import pytest

from tests.process import shop
from tests.process.private_server import PrivateServer
from tests.process.yard import WorkerProcess, Yard, until


@pytest.mark.parametrize("lease", ["15", "2"])
def test_an_immediate_restart_under_load_loses_nothing(
    private_yard: Yard, private_server: PrivateServer, lease: str
) -> None:
    """Not even the jobs that have one attempt only: the outage is not their fault."""
    yard = private_yard
    workers = [yard.worker(SONIQ_SA_LEASE=lease) for _ in range(2)]
    gate = yard.gate()
    held = yard.enqueue_many(shop.charge_without_retries, 3, gate=str(gate))
    held += yard.enqueue_many(shop.wait, 3, gate=str(gate))
    with yard.sessions.begin() as session:
        handles = session.enqueue_many(shop.charge_without_retries, [{}] * 500)
        handles += session.enqueue_many(shop.quick, [{}] * 1500)
    until(lambda: len(yard.lines(what="end")) > 100, "the load to run")
    private_server.stop_immediately()
    assert yard.lines(what="end")
    private_server.start()
    ready = time.time()
    gate.touch()
    unfinished = "SELECT count(*) FROM soniq_jobs WHERE state <> 'done'"
    until(lambda: yard.rows(unfinished) == [(0,)], lambda: str(states(yard)), 40)
    for worker in workers:
        assert_sound(worker)
    for handle in (*held[:3], *handles[:500]):
        assert len(yard.effects(handle)) == 1
    done = {line.job for line in yard.lines(what="end")}
    assert {handle.id for handle in (*held, *handles)} == done
    first = min(line.at for line in yard.lines(what="start") if line.at > ready)
    assert first - ready < 5
    yard.engine.dispose()
    handle = yard.enqueue(shop.quick)
    yard.until_state(handle, "done")
    assert yard.rows("SELECT count(*) FROM soniq_workers") == [(2,)]
    for worker in workers:
        worker.signal(signal.SIGTERM)
    for worker in workers:
        assert worker.exit_code() == 0


def assert_sound(worker: WorkerProcess) -> None:
    """Check that a worker runs, and that nothing in it failed but the database."""
    assert worker.popen.poll() is None, worker.log
    assert "failed, and tries again" not in worker.log
    assert "Exception in thread" not in worker.log


def states(yard: Yard) -> list[object]:
    """Return how many jobs are in each state."""
    return list(yard.rows("SELECT task, state, count(*) FROM soniq_jobs GROUP BY task, state"))


def test_a_crash_of_one_backend_which_takes_all_connections_loses_nothing(
    private_yard: Yard,
) -> None:
    """The server stays, its connections and locks go, and for a moment it takes no new ones."""
    yard = private_yard
    workers = [yard.worker() for _ in range(2)]
    with yard.sessions.begin() as session:
        handles = session.enqueue_many(shop.charge, [{}] * 500)
    until(lambda: len(yard.lines(what="end")) > 50, "the load to run")
    ((backend,),) = yard.rows(
        "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN %' LIMIT 1"
    )
    os.kill(backend, signal.SIGKILL)
    until(lambda: finished(yard), "all to be done", 40)
    for handle in handles:
        assert len(yard.effects(handle)) == 1
    for worker in workers:
        assert_sound(worker)


def finished(yard: Yard) -> bool:
    """Tell whether all jobs are done; the server may not answer."""
    try:
        return yard.rows("SELECT count(*) FROM soniq_jobs WHERE state <> 'done'") == [(0,)]
    except psycopg.OperationalError:
        return False


TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> 'yard'"
)


def run_one(yard: Yard) -> None:
    """Enqueue a job and wait until it starts, not so long that the worker would poll."""
    yard.until_starts(yard.enqueue(shop.quick))


def test_after_all_its_connections_were_closed_a_worker_is_woken_as_quickly_as_before(
    yard: Yard,
) -> None:
    worker = yard.worker(SONIQ_SA_POLL_INTERVAL="60")
    for _ in range(3):
        run_one(yard)
        assert yard.rows(TERMINATE)
        until(lambda: listeners(yard) >= 1, "the worker to listen again")
        for _ in range(3):
            run_one(yard)
    assert_sound(worker)


def listeners(yard: Yard) -> int:
    """Return how many connections wait for wake-ups."""
    return len(
        yard.rows(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() "
            "AND query LIKE 'LISTEN%' AND pid <> pg_backend_pid()"
        )
    )


def test_a_worker_that_loses_its_connections_keeps_its_jobs(yard: Yard) -> None:
    """It is alive, and says so again before anybody takes it for dead."""
    first = yard.worker()
    gate = yard.gate()
    handle = yard.enqueue(shop.wait, str(gate))
    yard.until_starts(handle)
    second = yard.worker()
    for _ in range(3):
        ((before,),) = yard.rows("SELECT now()")
        yard.rows(TERMINATE)
        until(
            lambda before=before: all_beat_since(yard, before),  # type: ignore[misc]
            "both to beat again",
        )
    gate.touch()
    row = yard.until_state(handle, "done")
    assert (row.claims, row.crashes) == (1, 0)
    for worker in (first, second):
        assert "taken for dead" not in worker.log
        assert "took over" not in worker.log


def all_beat_since(yard: Yard, moment: object) -> bool:
    """Tell whether both workers have beaten on a new connection after a moment."""
    rows = yard.rows("SELECT 1 FROM soniq_workers WHERE beat_at > %s", moment)
    return len(rows) == 2


def test_a_worker_waits_for_a_database_that_is_away_at_its_start_and_says_so(
    private_yard: Yard, private_server: PrivateServer
) -> None:
    yard = private_yard
    handle = yard.enqueue(shop.charge)
    private_server.stop_immediately()
    worker = yard.starting_worker()
    worker.until_log("no database")
    assert worker.log.count("no database") == 1
    assert worker.popen.poll() is None
    private_server.start()
    yard.until_state(handle, "done")
    assert "database is back" in worker.log
    assert len(yard.effects(handle)) == 1
    assert "Traceback" not in worker.log


def test_a_worker_that_waits_for_its_database_can_be_stopped(yard: Yard) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        worker = yard.starting_worker(url=f"postgresql://postgres:secret@127.0.0.1:{port}/nowhere")
        worker.until_log("no database")
        worker.signal(signal.SIGTERM)
        assert worker.exit_code(5) == 0
    assert "secret" not in worker.log
