"""One worker in this process, and the end of the process."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Coroutine
from typing import Any

from soniq_sa.cli.event_loop import loop_factory
from soniq_sa.cli.guard.introduction import introduction
from soniq_sa.cli.guard.worker_end import start_guard
from soniq_sa.cli.loading import load_app
from soniq_sa.cli.metrics import serve_metrics
from soniq_sa.cli.processes.lifeline import Lifeline
from soniq_sa.runtime.host import Host
from soniq_sa.runtime.worker import Worker
from soniq_sa.settings import Settings

_EXIT_GRACE, _LATE_EXIT_GRACE = 1.0, 0.25
"""Seconds for what the application does at the end; the latter when the drain timeout was used up."""
_NEW_OBJECTS = 10_000
"""Those of a few batches of jobs: so many more than there were make the collector look."""


def work(
    settings: Settings, lifeline: int | None, *, run_once: bool, log_level: str, **options: Any
) -> None:
    """Run a worker until it ends.

    lifeline: The file descriptor that leads to a supervisor; None: it is stopped by signals alone.
    log_level: What the guard logs, as the worker does.
    options: Those of `Worker` that were given on the command line.
    """
    make_loop = loop_factory(settings.loop)
    guard = start_guard() if settings.guard else None
    soniq = load_app(settings.app)
    serve_metrics(soniq, settings)
    worker = Worker(soniq, queues=settings.queues, run_once=run_once, **options)
    if guard is not None:
        guard.introduce(
            **introduction(worker, settings.app),
            log_level=log_level,
            supervised=lifeline is not None,
        )
        worker.host = Host(guard)
    _collect_rarely()
    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(_running(worker, lifeline))
        _exit_soon(_EXIT_GRACE if worker.stops.left > 0 else _LATE_EXIT_GRACE)
    if guard is not None:
        guard.close()


def _running(worker: Worker, lifeline: int | None) -> Coroutine[Any, Any, None]:
    if lifeline is None:
        return worker.run(handle_signals=True)
    return Lifeline(lifeline).run(worker)


def _collect_rarely() -> None:
    """Keep the cyclic garbage collector from looking at running jobs again and again.

    A batch of jobs is more new objects than its usual threshold, and all of them are in use; what was
    imported stays as long as the process. Most garbage has no cycles and does not wait for it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS)


def _exit_soon(grace: float) -> None:
    """End the process, also if a handler that was given up never ends: its job is released."""
    timer = threading.Timer(grace, os._exit, [0])
    timer.daemon = True
    timer.start()
