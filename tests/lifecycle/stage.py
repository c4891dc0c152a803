"""A database with an application whose handlers end as they are told, and an observer beside it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session

from soniq_sa import JobContext, JobHandle, Worker, enqueue, inject
from soniq_sa.engines import autocommitting, own_async_engine
from soniq_sa.localserver.databases import libpq_url
from tests.lifecycle.model import HOUR
from tests.lifecycle.tasks import Ending, Spec
from tests.runtime.bench import Bench
from tests.runtime.models import Order

Fence = tuple[UUID, int]
"""Job and claim: what a worker knows its runs by."""

_OURS = ("soniq_attempts", "soniq_progress", "soniq_jobs", "soniq_workers")
_EMPTY = "; ".join(f"DELETE FROM {table}" for table in (*_OURS, "orders"))  # noqa: S608 - names of ours


@dataclass(frozen=True)
class Snapshot:
    """What the tables hold at one moment."""

    at: datetime
    jobs: dict[UUID, Mapping[str, Any]]
    attempts: dict[Fence, Mapping[str, Any]]
    progress: dict[UUID, Mapping[str, Any]]
    workers: dict[UUID, Mapping[str, Any]]


class Stage(ABC):
    """An application with the tasks of ``specs``.

    children: What their handlers have enqueued, committed or not, with the job that they ran for.
    """

    def __init__(self, url: str, specs: list[Spec]) -> None:
        self.bench = Bench(url)
        self.soniq = self.bench.soniq
        self.specs = {spec.name: spec for spec in specs}
        self.engine = AsyncEngine(autocommitting(own_async_engine(self.bench.engine).sync_engine))
        self.settings = Worker(self.soniq, lease=24 * HOUR, job_timeout=HOUR).settings
        self.children: list[tuple[UUID, JobHandle[Any]]] = []
        self.tasks = {spec.name: self._register(spec) for spec in specs}
        self._observer: Any = None

    def _register(self, spec: Spec) -> Any:
        options: dict[str, Any] = {"retention": spec.kept} if spec.kept else {}
        register = self.soniq.job(
            name=spec.name,
            retry_delay=list(spec.delays),
            give_up_on=spec.gives_up_on,
            **options,
        )
        return register(_make_handler(self, spec))

    @abstractmethod
    async def ending(self, ctx: JobContext) -> Ending:
        """Return how an async handler is to end."""

    def ending_sync(self, ctx: JobContext) -> Ending:
        """Return how a sync handler is to end."""
        raise NotImplementedError

    async def open(self) -> None:
        """Connect the observer."""
        self._observer = await asyncpg.connect(libpq_url(self.bench.url))
        await self._observer.set_type_codec(
            "jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog"
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._observer.close()
        await self.bench.engine.dispose()
        await self.engine.dispose()

    async def clear(self) -> None:
        """Delete all rows."""
        await self._observer.execute(_EMPTY)
        self.children.clear()
        self.bench.seen.clear()

    async def sql(self, statement: str, *values: Any) -> Any:
        """Do what no call of the library does, such as let time pass."""
        return await self._observer.fetch(statement, *values)

    async def look(self) -> Snapshot:
        """Return what the tables hold, and the time after that."""
        async with self._observer.transaction(isolation="repeatable_read", readonly=True):
            attempts, progress, jobs, workers = [
                await self._observer.fetch(f"SELECT * FROM {table}")  # noqa: S608 - a name of ours
                for table in _OURS
            ]
            at = await self._observer.fetchval("SELECT clock_timestamp()")
        return Snapshot(
            at,
            {row["id"]: row for row in jobs},
            {(row["job_id"], row["claim"]): row for row in attempts},
            {row["job_id"]: row for row in progress},
            {row["id"]: row for row in workers},
        )


def _make_handler(stage: Stage, spec: Spec) -> Callable[..., Any]:
    """Return a handler of the kind that ``spec`` says."""

    async def plain(number: int, ctx: JobContext = inject()) -> int | None:
        del number
        return await _play(stage, spec, ctx, None)

    async def writing(
        order: Order, number: int, ctx: JobContext = inject(), session: AsyncSession = inject()
    ) -> int | None:
        del order, number
        return await _play(stage, spec, ctx, session)

    def plain_sync(number: int, ctx: JobContext = inject()) -> int | None:
        del number
        return _play_sync(stage, spec, ctx, None)

    def writing_sync(
        order: Order, number: int, ctx: JobContext = inject(), session: Session = inject()
    ) -> int | None:
        del order, number
        return _play_sync(stage, spec, ctx, session)

    if spec.is_sync:
        return writing_sync if spec.in_session else plain_sync
    return writing if spec.in_session else plain


async def _play(stage: Stage, spec: Spec, ctx: JobContext, session: Any) -> Any:
    ending = await stage.ending(ctx)
    if ending.child:
        child = stage.tasks["hasty"]
        match spec.writes:
            case "alone":
                handle = await stage.soniq.enqueue(child, 0)
                stage.children.append((ctx.job_id, handle))
            case "session":
                stage.children.append((ctx.job_id, enqueue(session, child, 0)))
            case _:
                async with ctx.transaction() as short:
                    stage.children.append((ctx.job_id, enqueue(short, child, 0)))
    return ending.play()


def _play_sync(stage: Stage, spec: Spec, ctx: JobContext, session: Any) -> Any:
    ending = stage.ending_sync(ctx)
    if ending.child:
        child = stage.tasks["hasty"]
        match spec.writes:
            case "alone":
                stage.children.append((ctx.job_id, stage.soniq.enqueue_sync(child, 0)))
            case "session":
                stage.children.append((ctx.job_id, enqueue(session, child, 0)))
            case _:
                with ctx.transaction() as short:
                    stage.children.append((ctx.job_id, enqueue(short, child, 0)))
    return ending.play()
