"""A worker that has nothing to do asks nothing of its own: its beats look for it."""

from typing import Any
from uuid import uuid4

import psycopg
import pytest

from soniq_sa.events import LeaseLost, WorkerStarted
from soniq_sa.localserver.databases import libpq_url
from tests.runtime.bench import Bench

LOOKING: dict[str, Any] = {"lease": 6, "heartbeat": 0.5, "poll_interval": 1}
LATER = "soniq_sa.runtime.lease._LATE"
NEVER = 3600.0

_BEATS = (
    "SELECT count(*) FROM soniq_workers WHERE beat_at > %s::timestamptz + %s * interval '0.5 s'"
)
_ASKED = (
    "SELECT pid, query_start FROM pg_stat_activity AS one"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    " AND NOT EXISTS (SELECT FROM pg_locks WHERE pid = one.pid AND locktype = 'advisory')"
    " ORDER BY pid"
)


async def until_beaten(bench: Bench, watcher: psycopg.Connection, beats: int) -> None:
    """Wait until so many beats have come."""
    (now,) = watcher.execute("SELECT clock_timestamp()").fetchone() or ()
    await bench.until(
        lambda: watcher.execute(_BEATS, [now, beats]).fetchone() == (1,), f"{beats} beats"
    )


async def test_an_idle_worker_sends_its_beats_and_nothing_else(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LATER, 3.0)
    with psycopg.connect(libpq_url(bench.url), autocommit=True) as watcher:
        async with bench.worker(**LOOKING):
            await until_beaten(bench, watcher, 3)
            before = watcher.execute(_ASKED).fetchall()
            await until_beaten(bench, watcher, 12)
            assert watcher.execute(_ASKED).fetchall() == before
            assert len(before) >= 3


@pytest.mark.parametrize(
    ("state", "more", "values"),
    [
        ("queued", "", ""),
        ("queued", ", crashes", ", 2"),
        ("scheduled", ", run_at", ", now() + interval '1.5 s'"),
        ("processing", ", claims, worker_id, claimed_at", ", 1, gen_random_uuid(), now()"),
        ("processing", ", claims, worker_id, claimed_at", ", 1, :own, now()"),
    ],
    ids=["due", "suspect", "scheduled", "an orphan", "claimed without an answer"],
)
async def test_a_look_finds_what_nobody_has_told_of(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, state: str, more: str, values: str
) -> None:
    monkeypatch.setattr(LATER, NEVER)

    @bench.task(queue="of_its_own")
    async def note() -> None:
        pass

    async with bench.worker(**LOOKING):
        with psycopg.connect(libpq_url(bench.url), autocommit=True) as watcher:
            await until_beaten(bench, watcher, 2)  # by then it has looked by itself, at its start
        job_id, (started,) = uuid4(), bench.events_of(WorkerStarted)
        own = {"own": started.worker_id} if ":own" in values else {}
        await bench.rows(
            f"INSERT INTO soniq_jobs (id, task, queue, state{more}) "  # noqa: S608
            f"VALUES (:id, 'note', 'of_its_own', '{state}'{values})",
            id=job_id,
            **own,
        )
        handle = bench.soniq.handle(job_id)
        row = await bench.until_state(handle, "done")
    assert row.claims == (2 if state == "processing" else 1)


async def test_a_lock_on_the_job_table_costs_nobody_the_lease(bench: Bench) -> None:
    @bench.task()
    async def note() -> None:
        pass

    with (
        psycopg.connect(libpq_url(bench.url)) as holder,
        psycopg.connect(libpq_url(bench.url), autocommit=True) as watcher,
    ):
        async with bench.worker(**LOOKING | {"lease": 3}):
            holder.execute("LOCK TABLE soniq_jobs IN ACCESS EXCLUSIVE MODE")
            await until_beaten(bench, watcher, 8)  # which is longer than the lease
            holder.commit()
            await bench.until_state(await bench.soniq.enqueue(note), "done")
    assert not bench.events_of(LeaseLost)
