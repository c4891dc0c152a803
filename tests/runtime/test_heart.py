"""The sign of life goes on, whatever happens to its connection."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy import Executable, Row, event
from sqlalchemy.ext.asyncio import create_async_engine

from soniq_sa import Soniq, Worker
from soniq_sa.engines import asyncpg_url
from soniq_sa.events import DatabaseLost, LeaseLost, PartFailed
from soniq_sa.link import DatabaseAway, Link
from soniq_sa.runtime import heart
from tests.runtime.bench import Bench
from tests.runtime.models import Base

QUICK = {"lease": 2, "heartbeat": 0.1}
OF_THE_HEART = "soniq-sa-lease"
TRIES, HEARTBEAT = 8, 0.5


def with_own_engine(bench: Bench, on_connect: Callable[[], None]) -> None:
    """Give the application an engine that calls ``on_connect`` for each connection of the heart."""
    engine = create_async_engine(asyncpg_url(bench.url))

    @event.listens_for(engine.sync_engine, "do_connect")
    def connect(*_: object) -> None:
        if threading.current_thread().name == OF_THE_HEART:
            on_connect()

    bench.soniq = Soniq(Base.metadata, engine=engine)
    bench.soniq.events.subscribe(bench.seen.append)


async def test_a_worker_that_was_taken_for_dead_goes_on_though_the_answer_to_its_return_is_lost(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = asyncio.Event()

    class CutLink(Link):
        """Loses the greeting that follows the second registration."""

        greetings = 0

        async def execute(
            self, statement: Executable, parameters: Mapping[str, Any] | None = None
        ) -> Sequence[Row[Any]]:
            if parameters is None and "pg_notify" in str(statement):
                CutLink.greetings += 1
                if CutLink.greetings == 2:
                    await self.drop()
                    cut.set()
                    raise DatabaseAway("cut")
            return await super().execute(statement, parameters)

    monkeypatch.setattr(heart, "Link", CutLink)

    @bench.task()
    async def note() -> None:
        pass

    async with bench.worker(**QUICK):
        await bench.rows("DELETE FROM soniq_workers")
        await bench.until(cut.is_set, "the answer to be lost")
        handle = await bench.soniq.enqueue(note)
        row = await bench.until_state(handle, "done")
        (worker,) = await bench.rows("SELECT id FROM soniq_workers")
    assert row.worker_id == worker.id
    assert len(bench.events_of(LeaseLost)) == 1


async def test_whatever_connecting_raises_the_worker_keeps_its_lease(bench: Bench) -> None:
    fail = threading.Event()

    def ask_for_token() -> None:
        if fail.is_set():
            fail.clear()
            raise RuntimeError("the token service said 503")

    with_own_engine(bench, ask_for_token)
    async with bench.worker(**QUICK):
        (before,) = await bench.rows("SELECT id, beat_at FROM soniq_workers")
        fail.set()
        await bench.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
        )
        await bench.until(lambda: bool(bench.events_of(PartFailed)), "the failure")

        async def beats() -> bool:
            (found,) = await bench.rows("SELECT id, beat_at FROM soniq_workers")
            return bool(found.id == before.id and found.beat_at > before.beat_at)

        await bench.until(beats, "another beat")
    (told,) = bench.events_of(PartFailed)
    assert (told.part, "said 503" in told.error) == ("lease", True)


async def test_a_heart_whose_statements_fail_waits_between_its_connections(bench: Bench) -> None:
    connections = 0

    def count() -> None:
        nonlocal connections
        connections += 1

    with_own_engine(bench, count)
    async with bench.worker(lease=15, heartbeat=HEARTBEAT):
        await bench.rows("ALTER TABLE soniq_workers RENAME TO away")
        await bench.until(lambda: bool(bench.events_of(DatabaseLost)), "the loss")
        connections, began = 0, time.monotonic()
        await bench.until(lambda: connections > TRIES, "the next tries")
        paused = time.monotonic() - began
        await bench.rows("ALTER TABLE away RENAME TO soniq_workers")
    assert paused >= (TRIES - 2) * HEARTBEAT / 2, (
        "its pauses grow up to a heartbeat, and lose half to chance"
    )


async def test_a_claim_that_is_answered_after_the_lease_was_lost_is_not_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[int] = []

    @bench.task()
    async def note() -> None:
        runs.append(1)

    late: list[Worker] = []
    fetch = Link.fetch

    async def answer_late(link: Link, *arguments: Any) -> Sequence[Sequence[Any]]:
        rows = await fetch(link, *arguments)
        if rows and not late:
            late.append(worker)
            await bench.rows("DELETE FROM soniq_workers")
            await bench.until(lambda: bool(bench.events_of(LeaseLost)), "the loss to be noticed")
        return rows

    async with bench.worker(**QUICK) as worker:
        monkeypatch.setattr(Link, "fetch", answer_late)
        handle = await bench.soniq.enqueue(note)
        row = await bench.until_state(handle, "done")
    assert late
    assert (len(runs), row.claims, row.crashes) == (1, 2, 1)
