"""Reading jobs and their results, for handles and for `Soniq`."""

from __future__ import annotations

import asyncio
import json
import weakref
from collections.abc import Iterable
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from soniq_sa.databases import Databases
from soniq_sa.engines import autocommitting, own_async_engine
from soniq_sa.errors import JobNotFoundError, OptionError, ResultTimeoutError
from soniq_sa.handle import JobHandle
from soniq_sa.progress import Progress
from soniq_sa.record import JobRecord
from soniq_sa.statements.browse import read_jobs
from soniq_sa.statements.control import read_state
from soniq_sa.states import JobState
from soniq_sa.task import Tasks
from soniq_sa.waiting import Waiter

ReturnWhen = Literal["all", "first"]


class Reader:
    """The jobs of one application, as they stand in its database."""

    def __init__(
        self, tasks: Tasks, databases: Databases, engine: AsyncEngine | None = None
    ) -> None:
        """Prepare; ``engine`` is what to read with. Default: the application's own."""
        self._tasks = tasks
        self._databases = databases
        self._engine = engine
        self._waiters: weakref.WeakKeyDictionary[Any, Waiter] = weakref.WeakKeyDictionary()

    def loopless(self) -> Reader:
        """Return a reader for ``asyncio.run``: at its end nothing is left of what waits here."""
        return Reader(self._tasks, self._databases, self._databases.loopless_engine)

    async def find(self, job_id: UUID) -> JobRecord | None:
        """Return a job; None if there is none with that id."""
        statement = read_jobs(self._tasks.models)
        engine = self._engine or self._databases.async_engine
        async with engine.connect() as connection:
            rows = (await connection.execute(statement, {"ids": [job_id]})).all()
        return self._record(rows[0]) if rows else None

    async def status(self, job_id: UUID) -> JobState:
        """Return the state of a job; raise `JobNotFoundError` if there is none.

        Nothing else is read: who may see no more than the state may ask for it.
        """
        engine = self._engine or self._databases.async_engine
        async with engine.connect() as connection:
            found = await connection.execute(read_state(self._tasks.models), {"job_id": job_id})
            state = found.scalar_one_or_none()
        if state is None:
            raise JobNotFoundError(_missing(job_id))
        return JobState(state)

    async def progress(self, job_id: UUID) -> Progress | None:
        """Return what the handler of a job has said of its progress; None if nothing."""
        return (await self._present(job_id)).progress

    async def result(self, job_id: UUID, timeout: float | None) -> Any:
        """Return what the handler of a job returned, once it has ended."""
        try:
            async with asyncio.timeout(timeout):
                await self._waiter.until_ended(job_id)
        except TimeoutError as error:
            raise ResultTimeoutError(await self._unfinished(job_id, timeout)) from error
        return (await self._present(job_id)).outcome()

    async def wait(
        self, handles: Iterable[JobHandle[Any]], timeout: float | None, return_when: ReturnWhen
    ) -> tuple[set[JobHandle[Any]], set[JobHandle[Any]]]:
        """Wait for several jobs; return those that have ended, and the others."""
        if return_when not in {"all", "first"}:
            raise OptionError(f"return_when={return_when!r}: it takes 'all' or 'first'.")
        waits = {
            asyncio.ensure_future(self._waiter.until_ended(handle.id)): handle for handle in handles
        }
        if not waits:
            return set(), set()
        when = asyncio.ALL_COMPLETED if return_when == "all" else asyncio.FIRST_COMPLETED
        try:
            ended, _ = await asyncio.wait(waits, timeout=timeout, return_when=when)
        finally:
            for wait in waits:
                wait.cancel()
        done = {waits[wait] for wait in ended}
        return done, set(waits.values()) - done

    async def _present(self, job_id: UUID) -> JobRecord:
        found = await self.find(job_id)
        if found is None:
            raise JobNotFoundError(_missing(job_id))
        return found

    async def _unfinished(self, job_id: UUID, timeout: float | None) -> str:
        found = await self.find(job_id)
        where = "is not in the database" if found is None else f"is {found.state} by now"
        return f"The job {job_id} has not ended within {timeout:g} s: it {where}. It goes on."

    def _record(self, row: Row[Any]) -> JobRecord:
        task = self._tasks.known(row.task)
        decode = json.loads if task is None else task.codec.result.decode
        fields: dict[str, Any] = dict(row._mapping)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - a Row's public name for it
        said = [fields.pop(name) for name in ("done", "total", "note", "updated_at")]
        fields |= {
            "state": JobState(row.state),
            "result": None if row.result is None else decode(row.result),
            "tags": tuple(json.loads(row.tags or "[]") or ()),
            "headers": json.loads(row.headers or "{}") or {},
            "progress": None if row.done is None else Progress(*said),
        }
        return JobRecord(**fields)

    @property
    def _waiter(self) -> Waiter:
        """Return the waiter of the running loop: connections belong to one."""
        loop = asyncio.get_running_loop()
        if loop not in self._waiters:
            own = own_async_engine(self._engine or self._databases.listen_source)
            engine = AsyncEngine(autocommitting(own.sync_engine))
            self._waiters[loop] = Waiter(engine, self._tasks.models)
        return self._waiters[loop]


def _missing(job_id: UUID) -> str:
    return (
        f"There is no job {job_id}: it is not committed yet, or it has ended and was deleted, by "
        "somebody or because its retention was over. To have its result kept, give its task a "
        "retention: @soniq.job(retention=3600)."
    )
