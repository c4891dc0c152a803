"""Work inside the caller's transaction, or in one of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session
from sqlalchemy.orm import Session

from soniq_sa.databases import Databases
from soniq_sa.session import AnySession, sync_session

T = TypeVar("T")


async def in_transaction(
    databases: Databases, session: AnySession | None, work: Callable[[Session], T]
) -> T:
    """Return what ``work`` returns in ``session``, of any kind; without one, commit by itself."""
    if session is None:
        async with databases.async_sessions() as own, own.begin():
            result: T = await own.run_sync(work)
            return result
    current = session() if isinstance(session, async_scoped_session) else session
    if isinstance(current, AsyncSession):
        return await current.run_sync(work)
    return work(sync_session(current))
