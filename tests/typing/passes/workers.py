"""A worker runs inside the application's own program."""

import asyncio

from shop import soniq
from soniq_sa import Worker


async def until_a_signal() -> None:
    await soniq.run_worker()
    await soniq.run_worker(queues=["billing", "mail"], concurrency=20, run_once=True)


async def embedded() -> None:
    worker = Worker(soniq, queues=("billing",), poll_interval=0.5, lease=2, drain_timeout=10)
    running = asyncio.create_task(worker.run())
    worker.stop()
    kept = Worker(soniq, retention_done=60, retention_cancelled=0.5, retention_dead="none")
    kept.stop()
    await running
