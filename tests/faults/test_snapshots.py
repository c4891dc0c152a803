"""A snapshot is held open while jobs flow: nothing can be vacuumed, and the backlog is worked off.

How long a claim takes meanwhile is measured by ``tests/bench/benchmarks/snapshot.py``.
"""

from collections.abc import Iterator

import psycopg
import pytest

from soniq_sa.localserver.databases import libpq_url
from tests.process import shop
from tests.process.yard import Yard, until

JOBS, AT_ONCE = 3000, 100
BACKLOG = 600
"""Two seconds of work at 300 jobs a second."""


@pytest.fixture
def snapshot(yard: Yard) -> Iterator[psycopg.Connection]:
    """Hold a snapshot open, as a report or a backup does for minutes."""
    with psycopg.connect(libpq_url(yard.url)) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SELECT count(*) FROM soniq_jobs")
        yield connection


def test_jobs_flow_through_a_snapshot_that_is_held_open(
    yard: Yard, snapshot: psycopg.Connection
) -> None:
    """Each is run once, retried and put-off ones too, and no more than two seconds of work pile up."""
    workers = [yard.worker() for _ in range(2)]
    queued = "SELECT 1 FROM soniq_jobs WHERE state = 'queued'"
    handles, failing = [], []
    while len(handles) < JOBS:
        handles += yard.enqueue_many(shop.quick, AT_ONCE)
        failing.append(yard.enqueue(shop.fail_once))
        until(lambda: len(yard.rows(queued)) < BACKLOG, "the backlog to be worked off", 30)
    left = "SELECT 1 FROM soniq_jobs WHERE state <> 'done'"
    until(lambda: not yard.rows(left), "all to be done", 60)
    dead = "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'soniq_jobs'"
    until(lambda: yard.rows(dead)[0].n_dead_tup > JOBS, "the entries that cannot be removed")
    assert snapshot.execute("SELECT count(*) FROM soniq_jobs").fetchone() == (0,)
    starts = [line.job for line in yard.lines(what="start")]
    assert len(starts) == len(handles) + 2 * len(failing)
    assert len({*starts}) == len(handles) + len(failing)
    for worker in workers:
        assert worker.popen.poll() is None
        assert "failed, and tries again" not in worker.log
