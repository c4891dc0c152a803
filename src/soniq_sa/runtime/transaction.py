"""``ctx.transaction()``: short transactions of a handler, fenced like the end of its job.

The row of the job is locked last, just before the COMMIT, if it still carries this claim. A worker
that has lost the job commits nothing, and nobody takes the job over between that look and the COMMIT.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any

from sqlalchemy import Executable
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from soniq_sa.databases import Databases
from soniq_sa.errors import ConfigurationError, LeaseLostError
from soniq_sa.loops import loop_runs_here
from soniq_sa.runtime.commits import CommitGuard, closing
from soniq_sa.runtime.jobs import HeldJob

_ADVICE = (
    "The session of ctx.transaction() is committed at the end of its block. Leave commit() out; for "
    "another commit, open another ctx.transaction()."
)


class FencedTransaction:
    """One transaction of a running job; see `soniq_sa.JobContext.transaction`."""

    def __init__(self, databases: Databases, hold: Executable, job: HeldJob) -> None:
        self._databases = databases
        self._hold = hold
        self._job = job
        self._async = AsyncExitStack()
        self._sync = ExitStack()

    async def __aenter__(self) -> AsyncSession:
        return await self._async.enter_async_context(self._open_async())

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self._async.__aexit__(kind, error, traceback)

    def __enter__(self) -> Session:
        if loop_runs_here():
            raise ConfigurationError(
                "An async handler writes: async with ctx.transaction() as session."
            )
        return self._sync.enter_context(self._open())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return self._sync.__exit__(kind, error, traceback)

    @asynccontextmanager
    async def _open_async(self) -> AsyncIterator[AsyncSession]:
        async with closing(self._databases.async_sessions()) as session:
            if not session.in_transaction():
                _ = await session.begin()
            with CommitGuard(session.sync_session, _ADVICE) as guard:
                yield session
                await session.run_sync(self._check)
                guard.open()
                await session.commit()

    @contextmanager
    def _open(self) -> Iterator[Session]:
        with self._databases.sync_sessions() as session:
            if not session.in_transaction():
                session.begin()
            with CommitGuard(session, _ADVICE) as guard:
                yield session
                self._check(session)
                guard.open()
                session.commit()

    def _check(self, session: Session) -> None:
        job = self._job
        session.flush()
        fence: dict[str, Any] = {
            "job_id": job.id,
            "claim_number": job.claims,
            "owner": job.worker_id,
        }
        if session.execute(self._hold, fence).one_or_none() is None:
            raise LeaseLostError(
                f"The job {job.id} was taken over while it ran here. This transaction is rolled back."
            )
