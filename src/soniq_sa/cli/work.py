"""One worker in this process, and the end of the process."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Coroutine
from typing import Any

from soniq_sa.cli.event_loop import loop_factory
from soniq_sa.cli.loading import load_app
from soniq_sa.cli.processes.lifeline import Lifeline
from soniq_sa.runtime.worker import Worker
from soniq_sa.settings import Settings

_EXIT_GRACE = 1.0
_NEW_OBJECTS = 10_000
"""Those of a few batches of jobs: so many more than there were make the collector look."""


def work(settings: Settings, lifeline: int | None, *, run_once: bool, **options: Any) -> None:
    """Run a worker until it ends.

    lifeline: The file descriptor that leads to a supervisor; None: it is stopped by signals alone.
    options: Those of `Worker` that were given on the command line.
    """
    make_loop = loop_factory(settings.loop)
    soniq = load_app(settings.app)
    worker = Worker(soniq, queues=settings.queues, run_once=run_once, **options)
    _collect_rarely()
    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(_running(worker, lifeline))
        _exit_soon()


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


def _exit_soon() -> None:
    """End the process, also if a handler that was given up never ends: its job is released."""
    timer = threading.Timer(_EXIT_GRACE, os._exit, [0])
    timer.daemon = True
    timer.start()
