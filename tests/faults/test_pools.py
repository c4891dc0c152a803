"""Connections are scarce: in the application's pool, and on the server."""

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psycopg
import pytest

from soniq_sa.localserver import local_server
from soniq_sa.localserver.databases import libpq_url
from tests.faults import till
from tests.process import shop
from tests.process.yard import SHORT_LEASE, Yard, make_tables, until, yard_at

UNFINISHED = "SELECT count(*) FROM soniq_jobs WHERE state <> 'done'"
PLACES = 30


@pytest.fixture
def narrow_yard(tmp_path: Path) -> Iterator[Yard]:
    """Return a yard on a server that takes few connections."""
    with local_server(
        sources=("binaries", "embedded"), settings={"max_connections": str(PLACES)}
    ) as server:
        make_tables(server.url)
        with yard_at(server.url, tmp_path) as made:
            yield made


def test_a_pool_of_one_connection_carries_any_number_of_jobs_with_sessions(yard: Yard) -> None:
    """They take turns; the worker's own connections, its sign of life above all, are not in the pool."""
    yard.arguments = till.APP
    worker = yard.worker(
        **{till.ENGINE: '{"pool_size": 1, "max_overflow": 0, "pool_timeout": 1}'}, **SHORT_LEASE
    )
    yard.enqueue_many(till.serve, 100, seconds=0.02)
    yard.enqueue_many(till.serve, 100)
    until(lambda: yard.rows(UNFINISHED) == [(0,)], lambda: str(yard.rows(UNFINISHED)), 60)
    effects = "SELECT count(*) AS all, count(DISTINCT job_id) AS jobs FROM effects"
    assert yard.rows(effects) == [(200, 200)]
    assert yard.rows("SELECT DISTINCT claims, attempts, crashes FROM soniq_jobs") == [(1, 1, 0)]
    assert "taken for dead" not in worker.log
    assert "no database" not in worker.log


def test_workers_wait_while_the_server_takes_no_connections_and_lose_nothing(
    narrow_yard: Yard,
) -> None:
    yard = narrow_yard
    workers = [yard.worker(**SHORT_LEASE) for _ in range(2)]
    gate = yard.gate()
    handles = yard.enqueue_many(shop.charge, 3, gate=str(gate))
    for handle in handles:
        yard.until_starts(handle)
    yard.engine.dispose()
    with ExitStack() as held:
        take_all(held, yard.url)
        gate.touch()
        for worker in workers:
            worker.until_log("no database", 30)
        refusal = "sorry, too many clients already"
        until(lambda: any(refusal in worker.log for worker in workers), "a refusal in the log", 30)
        assert all(worker.popen.poll() is None for worker in workers)
    handles += yard.enqueue_many(shop.charge, 4)  # whose sessions leave room for who looks
    for handle in handles:
        yard.until_state(handle, "done", 30)
        assert len(yard.effects(handle)) == 1
    for worker in workers:
        assert worker.popen.poll() is None
        assert "failed, and tries again" not in worker.log


def take_all(held: ExitStack, url: str) -> None:
    """Take every connection of the server's, also those that others have."""
    first = held.enter_context(psycopg.connect(libpq_url(url), autocommit=True))
    taken = [first.info.backend_pid]
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> ALL(%s)"

    def taken_all() -> bool:
        first.execute(others + " AND backend_type = 'client backend'", [taken])
        with suppress(psycopg.OperationalError):
            while len(taken) < PLACES:
                more = held.enter_context(psycopg.connect(libpq_url(url), autocommit=True))
                taken.append(more.info.backend_pid)
        return len(taken) == PLACES

    until(taken_all, lambda: f"{PLACES} connections, there are {len(taken)}", 30)
