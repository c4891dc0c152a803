"""Calls one handler with what it asks for, and with a session commits its end.

With a session the order is fixed, and it is what makes database effects exactly-once:

    open the session ──▶ load the entities ──▶ handler ──▶ flush ──▶ fenced finish ──▶ COMMIT

The finish is the last statement of the handler's own transaction. If the worker dies before the
COMMIT nothing of the run is there; if the COMMIT arrived, the job is done, whether or not the answer
came back. If the fence finds that the job is another worker's, everything is rolled back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker

from soniq_sa.asks import Ask
from soniq_sa.errors import (
    InvalidArgumentsError,
    InvalidResultError,
    LeaseLostError,
)
from soniq_sa.link import describe, from_database, without_room
from soniq_sa.models.roles import Models
from soniq_sa.outcome import DONE, Done, Otherwise, Outcome, Settled
from soniq_sa.retention import Retention
from soniq_sa.runtime.commits import CommitGuard, closing
from soniq_sa.runtime.ends import Deletions, end_rows, fence_rows, result_rows
from soniq_sa.runtime.entities import load_entities
from soniq_sa.runtime.failure import (
    DeletionRefused,
    InvalidJob,
    InvalidResult,
    SessionAway,
    outcome_of_ask,
)
from soniq_sa.runtime.jobs import HeldJob, JobDesk
from soniq_sa.runtime.places import Places
from soniq_sa.runtime.threads import Threads
from soniq_sa.signature import Injection
from soniq_sa.statements.finish import (
    finish_deleted,
    finish_done,
    finish_otherwise,
    finish_with_results,
    to_be_committed,
)
from soniq_sa.task import Task

StartClock = Callable[[HeldJob], None]

COMMIT_WITHIN = 90.0
"""Seconds between the finish and the COMMIT, after which PostgreSQL rolls back: longer than an event loop
may be blocked, and far shorter than TCP waits for a connection that has fallen silent."""

_ADVICE = (
    "The handler called commit() on the session that soniq-sa commits together with the end of the job. "
    "Leave it out; to commit earlier, use: async with ctx.transaction() as session."
)


class Handler(ABC):
    """A task, ready to run. ``start_clock`` is called when the time of the attempt begins."""

    def __init__(self, task: Task[..., Any], start_clock: StartClock, desk: JobDesk) -> None:
        self.task = task
        self.codec = task.codec
        self.start_clock = start_clock
        self.desk = desk
        self._context_names = [
            name
            for name, kind in self.codec.parameters.injected.items()
            if kind is Injection.CONTEXT
        ]

    @abstractmethod
    async def run(self, job: HeldJob) -> Outcome:
        """Run the handler for ``job``."""

    def arguments(self, job: HeldJob) -> dict[str, Any]:
        """Return the decoded arguments, with the job's context where it is asked for."""
        try:
            arguments = self.codec.decode(job.args)
        except InvalidArgumentsError as error:
            raise InvalidJob(str(error)) from error
        for name in self._context_names:
            arguments[name] = job.context(self.desk)
        return arguments

    def outcome(self, job: HeldJob, returned: Any) -> Done | Otherwise:
        """Return how a run ended that returned ``returned``."""
        if returned is None:
            return DONE
        if isinstance(returned, Ask):
            return outcome_of_ask(returned, job)
        try:
            return Done(self.codec.result.encode(returned))
        except InvalidResultError as error:
            raise InvalidResult(str(error)) from error

    def call(self, arguments: dict[str, Any]) -> Any:
        """Call the function itself."""
        names = self.codec.parameters.positional_only
        if not names:
            return self.task.handler(**arguments)
        positional = [arguments.pop(name) for name in names if name in arguments]
        return self.task.handler(*positional, **arguments)


class AsyncHandler(Handler):
    """An async handler without a session: its end is written in a batch."""

    async def run(self, job: HeldJob) -> Outcome:
        """Run it on the loop."""
        self.start_clock(job)
        return self.outcome(job, await self.call(self.arguments(job)))


class SyncHandler(Handler):
    """A sync handler without a session."""

    def __init__(
        self, task: Task[..., Any], start_clock: StartClock, desk: JobDesk, threads: Threads
    ) -> None:
        super().__init__(task, start_clock, desk)
        self._threads = threads

    async def run(self, job: HeldJob) -> Outcome:
        """Run it in a thread."""
        self.start_clock(job)
        arguments = self.arguments(job)
        return self.outcome(job, await self._threads.run(lambda: self.call(arguments)))


class AsyncSessionHandler(Handler):
    """An async handler with a session, which also commits the end of the job."""

    def __init__(
        self,
        task: Task[..., Any],
        start_clock: StartClock,
        desk: JobDesk,
        models: Models,
        sessions: async_sessionmaker[Any],
        *,
        ends: Ends,
        places: Places,
    ) -> None:
        super().__init__(task, start_clock, desk)
        self._sessions = sessions
        self._places = places
        self._job_class = models.Job
        self._ends = ends
        self._names = _session_names(self, Injection.ASYNC_SESSION)

    async def run(self, job: HeldJob) -> Outcome:
        """Run it on the loop, inside a session of its own."""
        async with self._places.taken(job), closing(self._sessions()) as session:
            self.start_clock(job)
            arguments = self.arguments(job)
            if not session.in_transaction():
                _ = await session.begin()
            with CommitGuard(session.sync_session, _ADVICE) as guard:
                await session.run_sync(_reach, self._job_class, job)
                await session.run_sync(load_entities, self.codec, arguments)
                arguments |= dict.fromkeys(self._names, session)
                outcome = self.outcome(job, await self.call(arguments))
                await session.run_sync(self._ends.write, job, outcome)
                guard.open()
                await session.commit()
        return Settled(outcome)


class SyncSessionHandler(Handler):
    """A sync handler with a session, which also commits the end of the job."""

    def __init__(
        self,
        task: Task[..., Any],
        start_clock: StartClock,
        desk: JobDesk,
        models: Models,
        sessions: sessionmaker[Any],
        *,
        ends: Ends,
        places: Places,
        threads: Threads,
    ) -> None:
        super().__init__(task, start_clock, desk)
        self._sessions = sessions
        self._places = places
        self._threads = threads
        self._job_class = models.Job
        self._ends = ends
        self._names = _session_names(self, Injection.SESSION)

    async def run(self, job: HeldJob) -> Outcome:
        """Run it in a thread, inside a session of its own."""
        async with self._places.taken(job):
            self.start_clock(job)
            arguments = self.arguments(job)
            return Settled(
                await self._threads.run(
                    lambda: self._run_in_session(job, arguments), job.leave_thread
                )
            )

    def _run_in_session(self, job: HeldJob, arguments: dict[str, Any]) -> Done | Otherwise:
        with self._sessions() as session:
            if not session.in_transaction():
                session.begin()
            with CommitGuard(session, _ADVICE) as guard:
                _reach(session, self._job_class, job)
                load_entities(session, self.codec, arguments)
                arguments |= dict.fromkeys(self._names, session)
                outcome = self.outcome(job, self.call(arguments))
                self._ends.write(session, job, outcome)
                guard.open()
                session.commit()
        return outcome


def _reach(session: Session, job_class: type[Any], job: HeldJob) -> None:
    """Connect now, so that a database that is away is told from a handler that fails."""
    try:
        session.connection(bind_arguments={"mapper": job_class})
    except Exception as error:
        if not from_database(error) or isinstance(error, ProgrammingError):
            raise
        raise SessionAway(describe(error), without_room=without_room(error)) from error
    job.in_session = True


class Ends:
    """Writes the end of a run as the last statement of the handler's own transaction."""

    def __init__(self, models: Models, retention: Retention, deletions: Deletions) -> None:
        self._deletions = deletions
        self._deleted = to_be_committed(finish_deleted(models), COMMIT_WITHIN)
        self._done = to_be_committed(finish_done(models, retention), COMMIT_WITHIN)
        self._with_results = to_be_committed(finish_with_results(models, retention), COMMIT_WITHIN)
        self._otherwise = to_be_committed(finish_otherwise(models, retention), COMMIT_WITHIN)

    def write(self, session: Session, job: HeldJob, outcome: Done | Otherwise) -> None:
        """Flush, then write the end; raise `LeaseLostError` if the job is another worker's."""
        session.flush()
        if isinstance(outcome, Done) and self._deletions.include(job):
            written = self._delete(session, job)
        else:
            written = session.execute(*self._statement(job, outcome)).all()
        if len(written) != 1:
            raise LeaseLostError(
                f"The job {job.id} was taken over while it ran here. This run is rolled back."
            )

    def _delete(self, session: Session, job: HeldJob) -> Sequence[Any]:
        try:
            return session.execute(self._deleted, fence_rows([job])).all()
        except IntegrityError as error:
            self._deletions.give_up()
            raise DeletionRefused(describe(error)) from error

    def _statement(self, job: HeldJob, outcome: Done | Otherwise) -> tuple[Any, dict[str, Any]]:
        match outcome:
            case Done(result=None):
                return self._done, fence_rows([job])
            case Done(result=result):
                return self._with_results, result_rows(job.worker_id, [(job, result)])
            case _:
                return self._otherwise, end_rows(job.worker_id, [(job, outcome)])


def _session_names(handler: Handler, kind: Injection) -> list[str]:
    return [name for name, one in handler.codec.parameters.injected.items() if one is kind]
