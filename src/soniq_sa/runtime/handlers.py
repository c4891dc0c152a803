"""Makes the handler of each task: with or without a session, surrounded by the hooks that there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.pool import QueuePool

from soniq_sa.application import Application
from soniq_sa.resources import Resource
from soniq_sa.retention import Retention
from soniq_sa.runtime.ends import Deletions
from soniq_sa.runtime.handler import (
    AsyncHandler,
    AsyncSessionHandler,
    Ends,
    Handler,
    StartClock,
    SyncHandler,
    SyncSessionHandler,
)
from soniq_sa.runtime.jobs import HeldJob, JobDesk
from soniq_sa.runtime.places import ANYWHERE, Places
from soniq_sa.runtime.surroundings import SurroundedHandler
from soniq_sa.runtime.threads import Threads
from soniq_sa.runtime.transaction import FencedTransaction
from soniq_sa.statements.finish import hold_claim
from soniq_sa.task import Task


class Handlers:
    """What the handlers of one worker share, and how they are made."""

    def __init__(
        self,
        soniq: Application,
        *,
        resources: Mapping[Resource, Any],
        retention: Retention,
        deletions: Deletions,
        concurrency: int,
        report: Callable[[HeldJob, float, float | None, str | None], None],
    ) -> None:
        """Prepare; concurrency: How many run at a time. report: What they say of their progress."""
        self._soniq = soniq
        self._resources = resources
        self._concurrency = concurrency
        self._threads = Threads()
        self._places: dict[Any, Places] = {}
        self._hold = hold_claim(soniq.models)
        self._desk = JobDesk(report, self._transaction)
        self._ends = Ends(soniq.models, retention, deletions)

    def by_name(self, clock: StartClock) -> dict[str, Handler]:
        """Return a handler for each task, by each of its names."""
        return {
            name: handler
            for task in self._soniq.tasks
            for handler in [self._handler(task, clock)]
            for name in (task.name, *task.aliases)
        }

    def close(self) -> None:
        """Let the threads end that run nothing."""
        self._threads.close()

    def _handler(self, task: Task[..., Any], clock: StartClock) -> Handler:
        hooks = self._soniq.hooks
        filled = self._soniq.resources.fill(task, self._resources)
        if not hooks.surround_jobs:
            return self._bare_handler(filled, clock, self._places_of(task))
        return SurroundedHandler(
            filled,
            clock,
            self._desk,
            self._places_of(task),
            self._bare_handler,
            hooks=hooks,
            events=self._soniq.events,
            threads=self._threads,
        )

    def _bare_handler(self, task: Task[..., Any], clock: StartClock, places: Places) -> Handler:
        databases, models = self._soniq.databases, self._soniq.models
        if not task.codec.needs_session:
            if task.is_async:
                return AsyncHandler(task, clock, self._desk)
            return SyncHandler(task, clock, self._desk, self._threads)
        if task.is_async:
            return AsyncSessionHandler(
                task,
                clock,
                self._desk,
                models,
                databases.async_sessions,
                ends=self._ends,
                places=places,
            )
        return SyncSessionHandler(
            task,
            clock,
            self._desk,
            models,
            databases.sync_sessions,
            ends=self._ends,
            places=places,
            threads=self._threads,
        )

    def _transaction(self, job: HeldJob) -> FencedTransaction:
        return FencedTransaction(self._soniq.databases, self._hold, job)

    def _places_of(self, task: Task[..., Any]) -> Places:
        if not task.codec.needs_session:
            return ANYWHERE
        databases = self._soniq.databases
        factory = databases.async_sessions if task.is_async else databases.sync_sessions
        return self._session_places(factory.kw.get("bind"))

    def _session_places(self, bind: Any) -> Places:
        """Return what keeps handlers from waiting for the pool, and failing at its time limit."""
        if bind not in self._places:
            pool = getattr(bind, "pool", None)
            concurrency = limit = self._concurrency
            if isinstance(pool, QueuePool):
                overflow = pool._max_overflow  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - only its size is public
                limit = concurrency if overflow < 0 else max(1, pool.size() + overflow)
            self._places[bind] = Places(limit)
        return self._places[bind]
