"""``soniq-sa worker``."""

from __future__ import annotations

import asyncio
import logging
from enum import StrEnum
from typing import Annotated

import typer

from soniq_sa.cli.loading import load_app
from soniq_sa.runtime.log import log_event
from soniq_sa.runtime.worker import Worker
from soniq_sa.settings import load_settings


class LogLevel(StrEnum):
    """What is logged: this level and all above it."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def worker(
    *,
    app: Annotated[
        str | None, typer.Option(help="Where the Soniq is, as shop.jobs:soniq. [env: SONIQ_SA_APP]")
    ] = None,
    queues: Annotated[
        str | None,
        typer.Option(help="Queues to serve, comma-separated. Default: all. [env: SONIQ_SA_QUEUES]"),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(help="Jobs that run at a time. Default: 100. [env: SONIQ_SA_CONCURRENCY]"),
    ] = None,
    run_once: Annotated[
        bool, typer.Option("--run-once", help="Work until nothing is due, then exit 0.")
    ] = False,
    drain_timeout: Annotated[
        float | None,
        typer.Option(
            help="Seconds that running jobs may go on after SIGTERM. Default: 30. "
            "[env: SONIQ_SA_DRAIN_TIMEOUT]"
        ),
    ] = None,
    poll_interval: Annotated[
        float | None,
        typer.Option(
            help="Longest seconds between two looks for jobs. Default: 5. "
            "[env: SONIQ_SA_POLL_INTERVAL]"
        ),
    ] = None,
    job_timeout: Annotated[
        float | None,
        typer.Option(
            help="Seconds that an attempt may take, where the task does not say. 0: no limit. "
            "Default: 300. [env: SONIQ_SA_JOB_TIMEOUT]"
        ),
    ] = None,
    log_level: Annotated[
        LogLevel, typer.Option(help="What to log to stderr.", case_sensitive=False)
    ] = LogLevel.INFO,
) -> None:
    """Run jobs until SIGTERM or SIGINT: then finish what runs, and exit 0.

    A second signal gives everything back to the queues and exits at once. More settings are read from
    the environment, .env and [tool.soniq-sa] in pyproject.toml.
    """
    _log_to_stderr(log_level)
    settings = load_settings(queues=queues, app=app)
    soniq = load_app(settings.app)
    soniq.events.subscribe(log_event)
    process = Worker(
        soniq,
        queues=settings.queues,
        concurrency=concurrency,
        run_once=run_once,
        drain_timeout=drain_timeout,
        poll_interval=poll_interval,
        job_timeout=job_timeout,
    )
    asyncio.run(process.run(handle_signals=True))


def _log_to_stderr(level: LogLevel) -> None:
    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(levelname)-7s %(name)s: %(message)s"
    )
    for noisy in ("asyncio", "sqlalchemy"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
