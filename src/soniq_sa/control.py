"""Changing one job from outside: cancelling, putting off, hurrying, deleting."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Executable
from sqlalchemy.orm import Session, scoped_session

from soniq_sa.databases import Databases
from soniq_sa.errors import JobNotFoundError
from soniq_sa.models.channel import DUE_HINT, cancel_hint
from soniq_sa.models.roles import Models
from soniq_sa.options import Seconds, check_priority, check_reason, when
from soniq_sa.session import AnySession, sync_session, wake_after_commit
from soniq_sa.statements import control
from soniq_sa.states import JobState
from soniq_sa.task import Tasks
from soniq_sa.transactions import in_transaction

T = TypeVar("T")


class ControlDesk:
    """One job at a time, in the transaction of a sync session; ``soniq.control.within(session)``.

    The same verbs as `Control`, without ``await``. Nothing is committed here.
    """

    def __init__(self, models: Models, session: Session) -> None:
        self._models = models
        self._session = session

    def cancel(self, job_id: UUID, *, reason: str | None = None) -> JobState:
        """End a job; see `Control.cancel`."""
        statement = control.cancel_job(self._models)
        row = self._execute(statement, job_id=job_id, why=check_reason("cancel()", reason))
        if row is None:
            return self._state(job_id)
        if row.state == JobState.PROCESSING:
            self._wake(cancel_hint(job_id))
        return JobState(row.state)

    def reschedule(self, job_id: UUID, run_at: datetime | Seconds) -> JobState:
        """Give a job that waits another time; see `Control.reschedule`."""
        delay, due_at = when({"run_at": run_at})
        row = self._waiting(
            control.put_off_job(self._models), job_id, delay=delay or 0.0, due_at=due_at
        )
        self._wake(DUE_HINT if row.state == JobState.SCHEDULED else row.queue)
        return JobState(row.state)

    def run_now(self, job_id: UUID) -> None:
        """Make a job that waits due at once; see `Control.run_now`."""
        self.reschedule(job_id, 0)

    def set_priority(self, job_id: UUID, priority: int) -> None:
        """Give a job that waits another priority; see `Control.set_priority`."""
        statement = control.set_job_priority(self._models)
        self._waiting(statement, job_id, new_priority=check_priority(priority))

    def delete(self, job_id: UUID) -> None:
        """Delete a job that does not run; see `Control.delete`."""
        if self._execute(control.delete_job(self._models), job_id=job_id) is None:
            raise JobNotFoundError(
                f"The job {job_id} is {self._state(job_id)}. Cancel it, and delete it when it has ended."
            )

    def _waiting(self, statement: Executable, job_id: UUID, **parameters: Any) -> Any:
        row = self._execute(statement, job_id=job_id, **parameters)
        if row is None:
            raise JobNotFoundError(
                f"The job {job_id} is {self._state(job_id)}, and this is for jobs that wait: scheduled "
                "or queued."
            )
        return row

    def _state(self, job_id: UUID) -> JobState:
        row = self._execute(control.read_state(self._models), job_id=job_id)
        if row is None:
            raise JobNotFoundError(f"There is no job {job_id}.")
        return JobState(row.state)

    def _execute(self, statement: Executable, **parameters: Any) -> Any:
        self._session.flush()
        return self._connection.execute(statement, parameters).one_or_none()

    def _wake(self, said: str) -> None:
        engine = self._connection.engine
        wake_after_commit(self._session, engine, self._models.jobs, {said}, inserted=False)

    @property
    def _connection(self) -> Any:
        return self._session.connection(bind_arguments={"mapper": self._models.Job})


class Control:
    """Single jobs of an application: ``soniq.control``.

    Each call is a transaction of its own; with ``session=`` (any kind of session) it is part of that
    session's. In a program without an event loop: `within`. All raise `JobNotFoundError` if there is
    no such job, or it is not in a state that allows it.
    """

    def __init__(self, tasks: Tasks, databases: Databases) -> None:
        self._tasks = tasks
        self._databases = databases

    def within(self, session: Session | scoped_session[Any]) -> ControlDesk:
        """Return the same verbs, without ``await``, in the transaction of a sync session."""
        return ControlDesk(self._tasks.models, sync_session(session))

    async def cancel(
        self, job_id: UUID, *, reason: str | None = None, session: AnySession | None = None
    ) -> JobState:
        """End a job, and return its state then.

        A job that waits is ``cancelled`` at once. One that runs stays ``processing``, and its worker is
        told after the commit: an async handler is cancelled (`asyncio.CancelledError`), a sync handler
        sees ``ctx.cancelled``. It then ends as ``cancelled`` unless it is done all the same; it is not
        retried. A job that has ended stays as it is.

        reason: Why, for people. Default: none.
        """
        return await self._run(session, lambda desk: desk.cancel(job_id, reason=reason))

    async def reschedule(
        self, job_id: UUID, run_at: datetime | Seconds, *, session: AnySession | None = None
    ) -> JobState:
        """Give a job that waits, also for a retry, another time; return its state then.

        run_at: An aware datetime, or seconds or a timedelta from now, by the database's clock.
        """
        return await self._run(session, lambda desk: desk.reschedule(job_id, run_at))

    async def run_now(self, job_id: UUID, *, session: AnySession | None = None) -> None:
        """Make a job that waits, also for a retry, due at once."""
        await self._run(session, lambda desk: desk.run_now(job_id))

    async def set_priority(
        self, job_id: UUID, priority: int, *, session: AnySession | None = None
    ) -> None:
        """Give a job that waits another priority, 1 (first) to 1000 (last)."""
        await self._run(session, lambda desk: desk.set_priority(job_id, priority))

    async def delete(self, job_id: UUID, *, session: AnySession | None = None) -> None:
        """Delete a job that does not run, and what is kept of its attempts."""
        await self._run(session, lambda desk: desk.delete(job_id))

    async def _run(self, session: AnySession | None, work: Callable[[ControlDesk], T]) -> T:
        models = self._tasks.models
        return await in_transaction(
            self._databases, session, lambda inner: work(ControlDesk(models, inner))
        )
