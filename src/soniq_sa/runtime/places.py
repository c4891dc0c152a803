"""Places in a session pool: a handler waits for one before its time begins to count."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from soniq_sa.runtime.jobs import HeldJob


class Places:
    """So many handlers at a time; ``limit`` None: any number."""

    def __init__(self, limit: int | None) -> None:
        self._free = None if limit is None else asyncio.Semaphore(limit)

    @asynccontextmanager
    async def taken(self, job: HeldJob) -> AsyncIterator[None]:
        """Hold a place while the handler of ``job`` runs, also in a thread that was given up."""
        if self._free is None:
            yield
            return
        await self._free.acquire()
        try:
            yield
        finally:
            free = self._free
            if job.left_thread is None:
                free.release()
            else:
                job.left_thread.add_done_callback(lambda _: free.release())


ANYWHERE = Places(None)
"""For handlers without a session."""
