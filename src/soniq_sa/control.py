"""Changing one job from outside: cancelling, putting off, hurrying, deleting."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast, overload
from uuid import UUID

from sqlalchemy import Executable
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session
from sqlalchemy.orm import Session, scoped_session

from soniq_sa.databases import Databases
from soniq_sa.errors import JobNotFoundError, OptionError
from soniq_sa.handle import JobHandle, id_of
from soniq_sa.models.channel import DUE_HINT, cancel_hint
from soniq_sa.options import Seconds, check_priority, check_reason, is_storable, shown, when
from soniq_sa.session import AnySession, say_ends_after_commit, sync_session, wake_after_commit
from soniq_sa.statements import control
from soniq_sa.states import JobState
from soniq_sa.task import Tasks
from soniq_sa.transactions import in_transaction

P = ParamSpec("P")
T = TypeVar("T")

AnyJob = UUID | JobHandle[Any]
"""A job by its id or its handle."""


LONGEST_REASON = 16_384
"""Characters."""


class ControlDesk:
    """What is done to one job, in the transaction of a sync session. Nothing is committed here."""

    def __init__(self, tasks: Tasks, session: Session) -> None:
        self._tasks = tasks
        self._models = tasks.models
        self._session = session

    def cancel(self, job: AnyJob, *, reason: str | None = None) -> JobState:
        """End a job; see `Controlling.cancel`."""
        job_id = id_of(job)
        statement = control.cancel_job(self._models, self._tasks.retention())
        row = self._execute(statement, job_id=job_id, why=_checked(reason))
        if row is None:
            return self._state(job_id)
        if row.state == JobState.PROCESSING:
            self._wake(cancel_hint(job_id))
        else:
            self._say_ended(job_id)
        return JobState(row.state)

    def reschedule(self, job: AnyJob, run_at: datetime | Seconds) -> JobState:
        """Give a job that waits another time; see `Controlling.reschedule`."""
        delay, due_at = when({"run_at": run_at})
        statement = control.put_off_job(self._models)
        row = self._waiting(statement, id_of(job), delay=delay or 0.0, due_at=due_at)
        self._wake(DUE_HINT if row.state == JobState.SCHEDULED else row.queue)
        return JobState(row.state)

    def run_now(self, job: AnyJob) -> None:
        """Make a job that waits due at once; see `Controlling.run_now`."""
        self.reschedule(job, 0)

    def retry_now(self, job: AnyJob) -> None:
        """Make a job that waits for its retry due at once; see `Controlling.retry_now`."""
        job_id = id_of(job)
        row = self._execute(control.hurry_retry(self._models), job_id=job_id)
        if row is None:
            state = self._state(job_id)
            advice = " Run it again with soniq.dead_letters.replay()." if state == "dead" else ""
            raise JobNotFoundError(
                f"The job {job_id} is {state}, and does not wait for a retry.{advice}"
            )
        self._wake(row.queue)

    def set_priority(self, job: AnyJob, priority: int) -> None:
        """Give a job that waits another priority; see `Controlling.set_priority`."""
        statement = control.set_job_priority(self._models)
        self._waiting(statement, id_of(job), new_priority=check_priority(priority))

    def delete(self, job: AnyJob) -> None:
        """Delete a job that does not run; see `Controlling.delete`."""
        job_id = id_of(job)
        if self._execute(control.delete_job(self._models), job_id=job_id) is None:
            raise JobNotFoundError(
                f"The job {job_id} is {self._state(job_id)}. Cancel it, and delete it when it has ended."
            )
        self._say_ended(job_id)

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

    def _say_ended(self, job_id: UUID) -> None:
        """Wake who waits for the job: no worker will say that it has ended."""
        say_ends_after_commit(self._session, self._connection.engine, self._models.jobs, {job_id})

    @property
    def _connection(self) -> Any:
        return self._session.connection(bind_arguments={"mapper": self._models.Job})


def _checked(reason: str | None) -> str | None:
    """Return the reason of a cancellation; refuse what cannot be stored, or nobody would read."""
    given = check_reason("cancel()", reason)
    if given is not None and (len(given) > LONGEST_REASON or not is_storable(given)):
        raise OptionError(
            f"The reason of cancel() is {shown(given)}. It takes text of at most {LONGEST_REASON:,} "
            "characters, without U+0000 and lone surrogates."
        )
    return given


class Verb(Generic[P, T]):
    """One verb of `ControlDesk` for every kind of session, which comes first.

    With a sync session it returns what the verb returns; with an async one, await the call.
    """

    def __init__(self, tasks: Tasks, work: Callable[Concatenate[ControlDesk, P], T]) -> None:
        self._tasks = tasks
        self._work = work
        functools.update_wrapper(cast("Callable[..., Any]", self), work)

    @overload
    def __call__(
        self,
        session: AsyncSession | async_scoped_session[Any],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def __call__(
        self, session: Session | scoped_session[Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> T: ...
    def __call__(self, session: AnySession, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Do it in the transaction of ``session``."""
        current = session() if isinstance(session, async_scoped_session) else session
        if isinstance(current, AsyncSession):
            return current.run_sync(self._do, *args, **kwargs)
        return self._do(sync_session(current), *args, **kwargs)

    def _do(self, session: Session, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._work(ControlDesk(self._tasks, session), *args, **kwargs)


class Control:
    """Single jobs of an application, in the caller's transaction: ``soniq.control``.

    The verbs are those of `Soniq` itself, with the session first, of whatever kind.

    Example::

        async with Session.begin() as session:
            await soniq.control.cancel(session, handle, reason="the order was withdrawn")
    """

    def __init__(self, tasks: Tasks) -> None:
        self.cancel = Verb(tasks, ControlDesk.cancel)
        self.reschedule = Verb(tasks, ControlDesk.reschedule)
        self.run_now = Verb(tasks, ControlDesk.run_now)
        self.retry_now = Verb(tasks, ControlDesk.retry_now)
        self.set_priority = Verb(tasks, ControlDesk.set_priority)
        self.delete = Verb(tasks, ControlDesk.delete)


class Controlling:
    """The verbs for single jobs that `Soniq` has; each call is a transaction of its own.

    Jobs are given by their ids or handles. All raise `JobNotFoundError` if there is no such job, or it
    is not in a state that allows it. The same verbs in a transaction of yours: ``soniq.control``.
    """

    tasks: Tasks
    databases: Databases

    async def cancel(self, job: AnyJob, *, reason: str | None = None) -> JobState:
        """End a job, and return its state then.

        A job that waits is ``cancelled`` at once. One that runs stays ``processing``, and its worker is
        told after the commit: an async handler is cancelled (`asyncio.CancelledError`), a sync handler
        sees ``ctx.cancelled``. It then ends as ``cancelled`` unless it is done all the same; it is not
        retried. A job that has ended stays as it is.

        reason: Why, for people, in at most 16,384 characters. Default: none.
        """
        return await self._control(lambda desk: desk.cancel(job, reason=reason))

    async def reschedule(self, job: AnyJob, run_at: datetime | Seconds) -> JobState:
        """Give a job that waits, also for a retry, another time; return its state then.

        run_at: An aware datetime, or seconds or a timedelta from now, by the database's clock.
        """
        return await self._control(lambda desk: desk.reschedule(job, run_at))

    async def run_now(self, job: AnyJob) -> None:
        """Make a job that waits, also for a retry, due at once."""
        await self._control(lambda desk: desk.run_now(job))

    async def retry_now(self, job: AnyJob) -> None:
        """Make a job that failed and waits for its retry due at once; refuse any other job."""
        await self._control(lambda desk: desk.retry_now(job))

    async def set_priority(self, job: AnyJob, priority: int) -> None:
        """Give a job that waits another priority, 1 (first) to 1000 (last)."""
        await self._control(lambda desk: desk.set_priority(job, priority))

    async def delete(self, job: AnyJob) -> None:
        """Delete a job that does not run, and what is kept of its attempts."""
        await self._control(lambda desk: desk.delete(job))

    async def _control(self, work: Callable[[ControlDesk], T]) -> T:
        return await in_transaction(
            self.databases, None, lambda session: work(ControlDesk(self.tasks, session))
        )
