"""What an application has of soniq-sa: its tasks, its tables and its database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, ParamSpec, TypeVar, Unpack, overload
from uuid import UUID

from sqlalchemy import MetaData
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from soniq_sa.control import Control
from soniq_sa.databases import AnyEngine, AnySessionmaker, Databases
from soniq_sa.dead_letters import DeadLetters
from soniq_sa.errors import ConfigurationError
from soniq_sa.events import Events
from soniq_sa.handle import JobHandle
from soniq_sa.hooks import HookDecorators
from soniq_sa.models.roles import Models
from soniq_sa.options import check_task_name
from soniq_sa.reading import Reader, ReturnWhen
from soniq_sa.record import JobRecord
from soniq_sa.resources import ResourceDecorator, Resources
from soniq_sa.session import enqueue_committed
from soniq_sa.task import AsyncTask, SyncTask, Task, Tasks, default_name, task_class
from soniq_sa.task_options import TaskOptions, check_task_options

P = ParamSpec("P")
R = TypeVar("R")


class JobDecorator:
    """What ``@soniq.job(...)`` returns: it turns a function into a task."""

    def __init__(self, make: Callable[[Callable[..., Any]], Any]) -> None:
        self._make = make

    @overload
    def __call__(  # type: ignore[overload-overlap] # async functions match the first
        self, handler: Callable[P, Awaitable[R]], /
    ) -> AsyncTask[P, R]: ...
    @overload
    def __call__(self, handler: Callable[P, R], /) -> SyncTask[P, R]: ...
    def __call__(self, handler: Callable[..., Any], /) -> Any:
        """Register ``handler``."""
        return self._make(handler)


class Application(HookDecorators, ResourceDecorator):
    """Tasks, tables and database of one application. Two of them share nothing."""

    def __init__(
        self,
        metadata: MetaData,
        *,
        engine: AnyEngine | None = None,
        sessionmaker: AnySessionmaker | None = None,
        database_url: str | None = None,
        queues: Iterable[str] = (),
    ) -> None:
        self.tasks = Tasks(metadata, queues)
        self.hooks = self.tasks.hooks
        self.resources = Resources()
        self.databases = Databases(engine, sessionmaker, database_url)
        self.events = Events()
        self.tasks.reader = self._reader = Reader(self.tasks, self.databases)
        self.control = Control(self.tasks, self.databases)
        self.dead_letters = DeadLetters(self.tasks, self.databases)

    @property
    def models(self) -> Models:
        """Return the mapped classes in the metadata; raise `TablesMissingError` without them."""
        return self.tasks.models

    @overload
    def job(  # type: ignore[overload-overlap] # async functions match the first
        self, handler: Callable[P, Awaitable[R]], /
    ) -> AsyncTask[P, R]: ...
    @overload
    def job(self, handler: Callable[P, R], /) -> SyncTask[P, R]: ...
    @overload
    def job(self, **options: Unpack[TaskOptions]) -> JobDecorator: ...
    def job(self, handler: Callable[..., Any] | None = None, **options: Unpack[TaskOptions]) -> Any:
        """Register a function as a task: ``@soniq.job`` or ``@soniq.job(...)``; see `TaskOptions`.

        Raises `OptionError` for a value outside its bounds, `UnknownOptionError` for an option that
        does not exist, and `TaskDefinitionError` for a name that is taken or a handler that cannot be
        a task.

        Example::

            @soniq.job(queue="billing", retries=5, timeout=30)
            async def send_invoice(order: Order, *, session: AsyncSession = inject()) -> None: ...
        """
        checked = check_task_options(options)

        def register(function: Callable[..., Any]) -> Task[..., Any]:
            task = task_class(function)(
                function,
                tasks=self.tasks,
                name=checked.name or check_task_name(default_name(function)),
                defaults=checked.defaults,
                retrying=checked.retrying,
                timeout=checked.timeout,
                aliases=checked.aliases,
            )
            self.tasks.add(task)
            return task

        return JobDecorator(register) if handler is None else register(handler)

    async def enqueue(self, task: Task[P, R], /, *args: P.args, **kwargs: P.kwargs) -> JobHandle[R]:
        """Enqueue a job in a transaction of its own, which is committed on return.

        Inside a request that works with a session, use ``session.enqueue`` instead: then the job is
        part of that session's transaction. Raises what that raises.
        """
        async with self.databases.async_sessions() as session, session.begin():
            return enqueue_committed(session, task, args, kwargs)

    def enqueue_sync(self, task: Task[P, R], /, *args: P.args, **kwargs: P.kwargs) -> JobHandle[R]:
        """Enqueue a job in a transaction of its own, from a program without an event loop.

        For scripts and shells. It connects anew at each call if the application gave no sync engine:
        to enqueue many jobs, use a session.
        """
        if factory := self.databases.given_sync_sessions:
            with factory() as session, session.begin():
                return enqueue_committed(session, task, args, kwargs)
        if _loop_is_running():
            raise ConfigurationError(
                "soniq.enqueue_sync() was called inside a running event loop. "
                "Write: await soniq.enqueue(...)."
            )
        return asyncio.run(self._enqueue_loopless(task, args, kwargs))

    async def _enqueue_loopless(
        self, task: Task[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> JobHandle[R]:
        async with self.databases.loopless_sessions() as session, session.begin():
            return enqueue_committed(session, task, args, kwargs)

    async def get_job(self, job_id: UUID) -> JobRecord | None:
        """Return a job as it stands in the database; None if there is none with that id."""
        return await self._reader.find(job_id)

    async def wait(
        self,
        handles: Iterable[JobHandle[Any]],
        *,
        timeout: float | None = None,
        return_when: ReturnWhen = "all",
    ) -> tuple[set[JobHandle[Any]], set[JobHandle[Any]]]:
        """Wait until jobs have ended, in whatever way; return those that have, and the others.

        timeout: Seconds to wait. None (the default): for ever. When it is over, nothing is raised.
        return_when: ``"all"`` (the default), or ``"first"``: as soon as one has ended.

        Example::

            ended, running = await soniq.wait(handles, timeout=60)
        """
        return await self._reader.wait(handles, timeout, return_when)

    @overload
    def create_all(self, engine: Engine | Connection) -> None: ...
    @overload
    def create_all(self, engine: AsyncEngine) -> Awaitable[None]: ...
    def create_all(self, engine: Engine | Connection | AsyncEngine) -> Awaitable[None] | None:
        """Create the tables of soniq-sa that are missing, for those without Alembic.

        ``engine`` is a sync engine or connection, or an async engine: then await the call. Other
        tables of the metadata are left alone, and existing tables are not changed.
        """
        if isinstance(engine, AsyncEngine):
            return self._create_all_async(engine)
        self.tasks.metadata.create_all(engine, tables=self.models.tables)
        return None

    async def _create_all_async(self, engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            await connection.run_sync(self.create_all)


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
