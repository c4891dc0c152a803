"""Who may commit a session that a handler works with, and how it is closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self

from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from soniq_sa.errors import CommitRefusedError

_GUARD = "soniq_sa_guard"
_CLOSE_DEADLINE = 5.0


class CommitGuard:
    """Refuse the commit of a session, until it is opened.

    advice: What the error says, to the author of the handler.
    """

    def __init__(self, session: Session, advice: str) -> None:
        self.advice = advice
        self._info = session.info

    def __enter__(self) -> Self:
        self._info[_GUARD] = self
        return self

    def __exit__(self, *_: object) -> None:
        self._info.pop(_GUARD, None)

    def open(self) -> None:
        """Let the commit through."""
        self._info.pop(_GUARD, None)


@event.listens_for(Session, "before_commit")
def _refuse_commit(session: Session) -> None:
    guard = session.info.get(_GUARD)
    if guard is not None and not session.in_nested_transaction():
        raise CommitRefusedError(guard.advice)


@asynccontextmanager
async def closing(session: AsyncSession) -> AsyncIterator[AsyncSession]:
    """Close ``session`` in the end, without waiting for a server that does not answer."""
    try:
        yield session
    finally:
        try:
            async with asyncio.timeout(_CLOSE_DEADLINE):
                await session.close()
        except (SQLAlchemyError, OSError):
            with suppress(SQLAlchemyError, OSError):
                async with asyncio.timeout(_CLOSE_DEADLINE):
                    await session.invalidate()
