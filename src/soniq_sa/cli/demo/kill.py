"""The worst that happens to a worker: SIGKILL in the middle of its jobs."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from uuid import UUID

from soniq_sa.cli.demo.child import Child
from soniq_sa.cli.demo.failure import TookTooLongError
from soniq_sa.cli.demo.records import Records, wait_until
from soniq_sa.cli.demo.report import Kill
from soniq_sa.cli.demo.shop import Shop

# Often enough to catch a worker in the middle of jobs that take 50 ms.
LOOK_EVERY = 0.005
BUSY_TIMEOUT = 30.0
TAKEOVER_TIMEOUT = 60.0


async def kill_a_worker(shop: Shop, database: Records) -> tuple[Kill, int]:
    """Kill a worker that holds jobs; return who it was, and how many jobs it held."""
    living = await database.workers()
    try:
        async with asyncio.timeout(BUSY_TIMEOUT):
            while True:
                for child in shop.workers:
                    if held := await _held_while_stopped(child, living, database):
                        at = await database.now()
                        child.kill()
                        return Kill(child.pid, living[child.pid], at), held
                await asyncio.sleep(LOOK_EVERY)
    except TimeoutError:
        raise TookTooLongError(f"no worker held a job within {BUSY_TIMEOUT:g} s") from None


async def _held_while_stopped(child: Child, living: Mapping[int, UUID], database: Records) -> int:
    """Stop a worker that holds jobs and return how many they are; let it go on if it has none.

    Stopped, it cannot finish them between this look and the kill.
    """
    worker = living[child.pid]
    if not await database.held(worker):
        return 0
    child.signal(signal.SIGSTOP)
    held = await database.held(worker)
    if not held:
        child.signal(signal.SIGCONT)
    return held


async def wait_for_takeover(kill: Kill, database: Records) -> None:
    """Wait until the killed worker owns no job any more."""

    async def released() -> bool:
        return not await database.held(kill.worker)

    await wait_until(
        released, "the killed worker's jobs to be taken over", patience=TAKEOVER_TIMEOUT
    )
