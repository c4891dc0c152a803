"""PgBouncer in transaction mode stands between everybody and the database, with two connections."""

import asyncio
import runpy
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from soniq_sa.engines import asyncpg_url, libpq_url
from tests.faults.pooler import Pooler, pooler_before
from tests.process import shop
from tests.process.yard import ROOT, Yard, until, yard_at

PAGE = ROOT / "docs" / "src" / "pooler" / "jobs.py"
UNFINISHED = "SELECT count(*) FROM soniq_jobs WHERE state <> 'done'"
BEHIND = {
    "SONIQ_SA_LEASE": "8",
    "SONIQ_SA_RESCUE_INTERVAL": "0.2",
    "SONIQ_SA_POLL_INTERVAL": "1",
    "SONIQ_SA_CONCURRENCY": "20",
}
"""Signs of life wait for one of the two connections as well, so the lease is not as short as elsewhere."""
TROUBLE = ("prepared statement", "failed, and tries again", "no database", "Traceback")


@pytest.fixture
def pooler(yard: Yard) -> Iterator[Pooler]:
    """Return PgBouncer in front of the yard's database."""
    with pooler_before(yard.url) as made:
        yield made
        yard.kill_workers()


@pytest.fixture
def pooled_yard(yard: Yard, pooler: Pooler) -> Iterator[Yard]:
    """Return a yard whose producers go through PgBouncer as well, on the engines that it makes."""
    with yard_at(pooler.url, yard.folder) as made:
        yield made


def assert_clean(yard: Yard) -> None:
    """Check that no worker has had any trouble, and that none has ended by itself."""
    for worker in yard.workers:
        assert not [part for part in TROUBLE if part in worker.log], worker.log


@pytest.mark.parametrize("way", ["polling", "listening"])
def test_a_thousand_jobs_of_all_kinds_run_once_though_workers_are_killed(
    yard: Yard, pooled_yard: Yard, way: str
) -> None:
    settings = BEHIND | ({"SONIQ_SA_LISTEN_URL": yard.url} if way == "listening" else {})
    workers = [pooled_yard.worker(**settings) for _ in range(3)]
    tasks = [shop.charge, shop.charge_sync, shop.quick, shop.fail_once]

    def produce(task: Any) -> list[Any]:
        handles = [pooled_yard.enqueue(task) for _ in range(50)]
        return handles + pooled_yard.enqueue_many(task, 200)

    with ThreadPoolExecutor(len(tasks)) as pool:
        made = [pool.submit(produce, task) for task in tasks]
        for worker in workers[:2]:
            seen = len(pooled_yard.lines())
            until(lambda: len(pooled_yard.lines()) > seen + 100, "the load to run")  # noqa: B023
            worker.kill()
            pooled_yard.starting_worker(**settings)
        handles = [handle for one in made for handle in one.result()]
    until(lambda: yard.rows(UNFINISHED) == [(0,)], lambda: str(yard.rows(UNFINISHED)), 60)
    assert len(handles) == 1000
    effects = "SELECT count(*) AS all, count(DISTINCT job_id) AS jobs FROM effects"
    assert yard.rows(effects) == [(500, 500)]
    assert {line.job for line in pooled_yard.lines(what="start")} == {one.id for one in handles}
    assert_clean(pooled_yard)


def test_a_worker_that_cannot_listen_says_so_once_and_polls(pooled_yard: Yard) -> None:
    worker = pooled_yard.worker(**BEHIND)
    worker.until_log("no wake-ups: behind postgresql+asyncpg://")
    assert "liveness: lease\n" in worker.log
    for _ in range(5):
        pooled_yard.until_state(pooled_yard.enqueue(shop.quick), "done", 5)
    assert worker.log.count("no wake-ups") == 1
    assert worker.log.count("soniq_sa: ") == 2
    assert_clean(pooled_yard)


def test_a_worker_with_a_way_around_the_pooler_is_woken(yard: Yard, pooled_yard: Yard) -> None:
    worker = pooled_yard.worker(SONIQ_SA_LISTEN_URL=yard.url, SONIQ_SA_POLL_INTERVAL="300")
    assert "liveness: lease and lock" in worker.log
    for task in (shop.charge, shop.charge_sync, shop.quick, shop.fail_once):
        for _ in range(3):
            pooled_yard.until_state(pooled_yard.enqueue(task), "done")
    assert "no wake-ups" not in worker.log
    assert_clean(pooled_yard)


def test_the_worker_leaves_nothing_of_its_own_in_the_sessions_that_it_shares(
    yard: Yard, pooled_yard: Yard
) -> None:
    pooled_yard.worker(**BEHIND)
    for handle in pooled_yard.enqueue_many(shop.charge, 20):
        pooled_yard.until_state(handle, "done")
    assert yard.rows("SELECT * FROM pg_locks WHERE locktype = 'advisory'") == []
    for name in (
        "jit",
        "enable_sort",
        "plan_cache_mode",
        "synchronous_commit",
        "statement_timeout",
    ):
        values = {row for _ in range(20) for (row,) in pooled_yard.rows(f"SHOW {name}")}
        assert values == {row for (row,) in yard.rows(f"SHOW {name}")}
    prepared = [pooled_yard.rows("SELECT name FROM pg_prepared_statements") for _ in range(20)]
    assert not any(prepared)
    listening = [pooled_yard.rows("SELECT pg_listening_channels()") for _ in range(20)]
    assert not any(listening)


def test_workers_come_back_after_a_restart_of_the_pooler(
    yard: Yard, pooled_yard: Yard, pooler: Pooler
) -> None:
    workers = [pooled_yard.worker(**BEHIND) for _ in range(2)]
    gate = yard.gate()
    running = pooled_yard.enqueue(shop.charge, str(gate))
    pooled_yard.until_starts(running)
    pooler.restart()
    gate.touch()
    handles = [running, *yard.enqueue_many(shop.charge, 50)]
    for handle in handles:
        yard.until_state(handle, "done", 30)
        assert len(yard.effects(handle)) == 1
    assert all(worker.popen.poll() is None for worker in workers)
    assert not [worker.log for worker in workers if "prepared statement" in worker.log]


async def test_enqueueing_and_waiting_for_results_go_through_the_pooler(
    pooled_yard: Yard, pooler: Pooler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SONIQ_SA_DATABASE_URL", pooler.url)
    await asyncio.to_thread(pooled_yard.worker, **BEHIND)

    async def one() -> None:
        handle = await shop.soniq.enqueue(shop.charge)
        await handle.result(timeout=30)

    try:
        await asyncio.gather(*(one() for _ in range(40)))
    finally:
        await shop.soniq.databases.dispose()
    assert_clean(pooled_yard)


async def test_the_engine_of_the_documentation_works_behind_the_pooler(
    yard: Yard, pooler: Pooler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "DATABASE_URL", asyncpg_url(pooler.url).render_as_string(hide_password=False)
    )
    monkeypatch.setenv(
        "SYNC_DATABASE_URL",
        libpq_url(pooler.url, "postgresql+psycopg").render_as_string(hide_password=False),
    )
    page = runpy.run_path(str(PAGE), run_name="jobs")

    async def one() -> None:
        async with page["Session"].begin() as session:
            session.enqueue(page["look"])

    await asyncio.gather(*(one() for _ in range(50)))
    with page["sync_engine"].begin() as connection:
        for _ in range(20):
            connection.execute(text("SELECT 1"))
    await page["soniq"].run_worker(run_once=True, handle_signals=False)
    await page["engine"].dispose()
    page["sync_engine"].dispose()
    ended = "SELECT state, attempts, count(*) FROM soniq_jobs GROUP BY 1, 2"
    assert yard.rows(ended) == [("done", 1, 50)]
