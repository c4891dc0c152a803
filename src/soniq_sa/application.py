"""What an application has of soniq-sa: its tasks, its tables and its database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, ParamSpec, TypeVar, Unpack, cast, overload
from uuid import UUID

from sqlalchemy import MetaData
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.ext.asyncio import AsyncEngine
from typing_extensions import TypeVar as DefaultingTypeVar

from soniq_sa.audit import AuditReport, audit_tables, checked_scope
from soniq_sa.control import AnyJob, Control, Controlling
from soniq_sa.databases import AnyEngine, AnySessionmaker, Databases
from soniq_sa.dead_letters import DeadLetters
from soniq_sa.engines import own_async_engine
from soniq_sa.errors import OptionError
from soniq_sa.foreign import Referring, TaskName
from soniq_sa.functions import default_name
from soniq_sa.handle import JobHandle, id_of
from soniq_sa.hooks import HookDecorators
from soniq_sa.loops import run_without_loop
from soniq_sa.models.roles import Models
from soniq_sa.options import Seconds, check_task_name, check_whole
from soniq_sa.reading import Reader, ReturnWhen
from soniq_sa.record import JobRecord
from soniq_sa.resources import ResourceDecorator, Resources
from soniq_sa.session import checked_task, enqueue_committed, enqueue_many_committed
from soniq_sa.subscribers import Events
from soniq_sa.task import AsyncTask, SyncTask, Task, TaskRef, Tasks, UnknownTasks, task_class
from soniq_sa.task_options import TaskOptions, check_task_options

P = ParamSpec("P")
R = TypeVar("R")
Result = DefaultingTypeVar("Result", default=Any)
"""What a task returns; of a task that is given by its name nothing is known."""


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


class Application(Referring, HookDecorators, ResourceDecorator, Controlling):
    """Tasks, tables and database of one application. Two of them share nothing."""

    def __init__(
        self,
        metadata: MetaData,
        *,
        engine: AnyEngine | None = None,
        sessionmaker: AnySessionmaker | None = None,
        database_url: str | None = None,
        queues: Iterable[str] = (),
        unknown_tasks: UnknownTasks = "strict",
        redact: Iterable[str] = (),
    ) -> None:
        self.tasks = Tasks(metadata, queues, unknown_tasks, redact)
        self.hooks = self.tasks.hooks
        self.resources = Resources()
        self.databases = Databases(engine, sessionmaker, database_url)
        self.events = Events()
        self.tasks.reader = self._reader = Reader(self.tasks, self.databases)
        self.control = Control(self.tasks)
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
                retention=checked.retention,
                aliases=checked.aliases,
                args_model=checked.args_model,
            )
            self.tasks.add(task)
            return task

        return JobDecorator(register) if handler is None else register(handler)

    async def enqueue(
        self, task: TaskRef[P, Result] | TaskName[P], /, *args: P.args, **kwargs: P.kwargs
    ) -> JobHandle[Result]:
        """Enqueue a job in a transaction of its own, which is committed on return.

        task: A task, a reference to one (`ref`, `stub`), or a task name, which is taken as `ref` takes
            it.

        Inside a request that works with a session, use ``session.enqueue`` instead: then the job is
        part of that session's transaction. Raises what that raises.
        """
        target = self._target(task)
        async with self.databases.async_sessions() as session, session.begin():
            return enqueue_committed(session, target, args, kwargs)

    def enqueue_sync(
        self, task: TaskRef[P, Result] | TaskName[P], /, *args: P.args, **kwargs: P.kwargs
    ) -> JobHandle[Result]:
        """Enqueue a job in a transaction of its own, from a program without an event loop.

        For scripts and shells. It connects anew at each call if the application gave no sync engine:
        to enqueue many jobs, use a session.
        """
        target = self._target(task)
        if factory := self.databases.given_sync_sessions:
            with factory() as session, session.begin():
                return enqueue_committed(session, target, args, kwargs)

        async def add() -> JobHandle[Result]:
            async with self.databases.loopless_sessions() as session, session.begin():
                return enqueue_committed(session, target, args, kwargs)

        return run_without_loop("soniq.enqueue_sync", add)

    async def enqueue_many(
        self, task: TaskRef[..., Result] | TaskName[...], rows: Iterable[Mapping[str, Any]], /
    ) -> list[JobHandle[Result]]:
        """Enqueue many jobs of one task in a transaction of its own, committed on return.

        task: As in `enqueue`. rows: The arguments of each job, by name, at most 100,000. If one does
        not fit, none is enqueued.

        Example::

            await soniq.enqueue_many(send_report, [{"user_id": 1}, {"user_id": 2}])
        """
        target = self._target(task)
        async with self.databases.async_sessions() as session, session.begin():
            return enqueue_many_committed(session, target, rows)

    def enqueue_many_sync(
        self, task: TaskRef[..., Result] | TaskName[...], rows: Iterable[Mapping[str, Any]], /
    ) -> list[JobHandle[Result]]:
        """Do as `enqueue_many` in a program without an event loop; see `enqueue_sync`."""
        target = self._target(task)
        if factory := self.databases.given_sync_sessions:
            with factory() as session, session.begin():
                return enqueue_many_committed(session, target, rows)

        async def add() -> list[JobHandle[Result]]:
            async with self.databases.loopless_sessions() as session, session.begin():
                return enqueue_many_committed(session, target, rows)

        return run_without_loop("soniq.enqueue_many_sync", add)

    async def schedule(
        self,
        task: TaskRef[P, Result] | TaskName[P],
        run_at: datetime | Seconds,
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> JobHandle[Result]:
        """Enqueue a job that is due at ``run_at``, in a transaction of its own; else as `enqueue`.

        run_at: An aware datetime, or a number of seconds or a timedelta from now, by the database's
            clock. It stands in the place of a ``delay`` or ``run_at`` that the task has.

        Raises `OptionError` for a naive datetime.

        Example::

            await soniq.schedule(remind, timedelta(days=1), user_id=7)
        """
        given: Any = run_at
        if given is None:
            raise OptionError(
                "soniq.schedule(): run_at is None. It takes a time, or seconds from now."
            )
        target = self._target(task).options(run_at=run_at)
        return await self.enqueue(target, *args, **kwargs)

    def _target(self, task: TaskRef[P, Result] | TaskName[P]) -> TaskRef[P, Result]:
        given: Any = self.ref(task) if isinstance(task, str) else task
        return checked_task(cast("TaskRef[P, Result]", given))

    async def get_job(self, job: AnyJob) -> JobRecord | None:
        """Return a job, by its id or handle, as it stands in the database; None if there is none."""
        return await self._reader.find(id_of(job))

    def get_job_sync(self, job: AnyJob) -> JobRecord | None:
        """Do as `get_job` in a program without an event loop. It connects anew at each call."""
        reader = self._reader.loopless()
        return run_without_loop("soniq.get_job_sync", lambda: reader.find(id_of(job)))

    def handle(self, job_id: UUID) -> JobHandle[Any]:
        """Return a handle for a job that is known by its id alone, enqueued by whom ever.

        Example::

            report = await soniq.handle(job_id).result(timeout=30)
        """
        return JobHandle(job_id, "", reader=self._reader)

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

    def wait_sync(
        self,
        handles: Iterable[JobHandle[Any]],
        *,
        timeout: float | None = None,
        return_when: ReturnWhen = "all",
    ) -> tuple[set[JobHandle[Any]], set[JobHandle[Any]]]:
        """Do as `wait` in a program without an event loop. It connects anew at each call."""
        reader = self._reader.loopless()
        return run_without_loop(
            "soniq.wait_sync", lambda: reader.wait(handles, timeout, return_when)
        )

    async def audit(
        self,
        *,
        queue: str | None = None,
        since: datetime | Seconds | None = None,
        limit: int = 10,
        patience: Seconds = 60.0,
    ) -> AuditReport:
        """Ask the tables whether every job ran to one recorded end, and nothing is stuck.

        queue: Look at the jobs of this queue only. Default: of all.
        since: Look at those only that were enqueued since then: an aware datetime, or an age. Default:
            at all.
        limit: How many jobs each check tells of. Default 10.
        patience: Seconds for which a job may wait for a worker. Default 60. Where jobs belong to
            workers that are not there, the call takes that long.

        All checks see one snapshot; nothing is written, and workers may run. Raises `OptionError`, and
        `RowsHiddenError` where row-level security hides rows from the role.

        Example::

            report = await soniq.audit()
            assert report.ok, report.violations
        """
        scope = checked_scope(queue, since, patience)
        shown = check_whole("limit", limit, 0, 10_000)
        engine = own_async_engine(self.databases.engine)
        try:
            return await audit_tables(engine, self.models, scope, limit=shown)
        finally:
            await engine.dispose()

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
