"""``soniq-sa worker``."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
from enum import StrEnum
from typing import Annotated, Any

import typer

from soniq_sa.cli.loading import load_app
from soniq_sa.cli.options import App, new_commands, setting
from soniq_sa.runtime.worker import Worker
from soniq_sa.settings import load_settings

_EXIT_GRACE = 1.0
_NEW_OBJECTS = 10_000
"""Those of a few batches of jobs: so many more than there were make the collector look."""


class LogLevel(StrEnum):
    """What is logged: this level and all above it."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


Queues = Annotated[str | None, setting("Queues to serve, comma-separated. Default: all.", "QUEUES")]
Concurrency = Annotated[
    int | None, setting("Jobs that run at a time. Default: 100.", "CONCURRENCY")
]
RunOnce = Annotated[
    bool, typer.Option("--run-once", help="Work until nothing is due, then exit 0.")
]
DrainTimeout = Annotated[
    float | None,
    setting("Seconds that running jobs may go on after SIGTERM. Default: 30.", "DRAIN_TIMEOUT"),
]
PollInterval = Annotated[
    float | None, setting("Longest seconds between two looks. Default: 5.", "POLL_INTERVAL")
]
JobTimeout = Annotated[
    float | None,
    setting("Seconds for an attempt, where the task says none. Default: 300.", "JOB_TIMEOUT"),
]
RetentionDone = Annotated[
    str | None,
    setting(
        "Seconds that jobs which are done are kept, where the task says nothing; none: for ever. "
        "Default: 86400.",
        "RETENTION_DONE",
    ),
]
RetentionCancelled = Annotated[
    str | None,
    setting("The same for jobs that were cancelled. Default: 604800.", "RETENTION_CANCELLED"),
]
RetentionDead = Annotated[
    str | None, setting("The same for dead letters. Default: none.", "RETENTION_DEAD")
]
Level = Annotated[LogLevel, typer.Option(help="What to log to stderr.", case_sensitive=False)]


def worker(
    *,
    app: App = None,
    queues: Queues = None,
    concurrency: Concurrency = None,
    run_once: RunOnce = False,
    drain_timeout: DrainTimeout = None,
    poll_interval: PollInterval = None,
    job_timeout: JobTimeout = None,
    retention_done: RetentionDone = None,
    retention_cancelled: RetentionCancelled = None,
    retention_dead: RetentionDead = None,
    log_level: Level = LogLevel.INFO,
) -> None:
    """Run jobs until SIGTERM or SIGINT: then finish what runs, and exit 0.

    A second signal gives everything back to the queues and exits at once. More settings are read from
    the environment, .env and [tool.soniq-sa] in pyproject.toml.
    """
    _log_to_stderr(log_level)
    retention: dict[str, Any] = {
        "retention_done": retention_done,
        "retention_cancelled": retention_cancelled,
        "retention_dead": retention_dead,
    }
    settings = load_settings(queues=queues, app=app)
    soniq = load_app(settings.app)
    process = Worker(
        soniq,
        queues=settings.queues,
        concurrency=concurrency,
        run_once=run_once,
        drain_timeout=drain_timeout,
        poll_interval=poll_interval,
        job_timeout=job_timeout,
        **retention,
    )
    _collect_rarely()
    with asyncio.Runner() as runner:
        runner.run(process.run(handle_signals=True))
        _exit_soon()


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


def _log_to_stderr(level: LogLevel) -> None:
    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(levelname)-7s %(name)s: %(message)s"
    )
    for noisy in ("asyncio", "sqlalchemy"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


commands = new_commands(worker)
