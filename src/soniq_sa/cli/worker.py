"""``soniq-sa worker``."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from soniq_sa.cli.log import log_to_stderr
from soniq_sa.cli.options import App, new_commands, setting
from soniq_sa.cli.processes.supervisor import Supervisor
from soniq_sa.settings import load_settings


class EventLoop(StrEnum):
    """What the worker runs on."""

    AUTO = "auto"
    ASYNCIO = "asyncio"
    UVLOOP = "uvloop"


class LogLevel(StrEnum):
    """What is logged: this level and all above it."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


Queues = Annotated[str | None, setting("Queues to serve, comma-separated. Default: all.", "QUEUES")]
Concurrency = Annotated[
    int | None, setting("Jobs that run at a time. Default: 200.", "CONCURRENCY")
]
Processes = Annotated[
    int | None,
    setting("Worker processes to run; more than one are restarted. Default: 1.", "PROCESSES"),
]
LoopName = Annotated[
    EventLoop | None,
    setting("The event loop; auto: uvloop where it is installed. Default: auto.", "LOOP"),
]
MetricsPort = Annotated[
    int | None,
    setting(
        "Serve metrics for Prometheus at this port; several processes take it and those behind it.",
        "METRICS_PORT",
    ),
]
MetricsHost = Annotated[
    str | None, setting("The address of that port. Default: 127.0.0.1.", "METRICS_HOST")
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
LifelineNumber = Annotated[
    int | None, typer.Option(hidden=True, help="The file descriptor that leads to the supervisor.")
]
Level = Annotated[LogLevel, typer.Option(help="What to log to stderr.", case_sensitive=False)]


def worker(
    ctx: typer.Context,
    *,
    app: App = None,
    queues: Queues = None,
    concurrency: Concurrency = None,
    processes: Processes = None,
    loop: LoopName = None,
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = None,
    run_once: RunOnce = False,
    drain_timeout: DrainTimeout = None,
    poll_interval: PollInterval = None,
    job_timeout: JobTimeout = None,
    retention_done: RetentionDone = None,
    retention_cancelled: RetentionCancelled = None,
    retention_dead: RetentionDead = None,
    log_level: Level = LogLevel.INFO,
    lifeline: LifelineNumber = None,
) -> None:
    """Run jobs until SIGTERM or SIGINT: then finish what runs, and exit 0.

    A second signal gives everything back to the queues and exits at once. More settings are read from
    the environment, .env and [tool.soniq-sa] in pyproject.toml.
    """
    metrics = {"metrics_port": metrics_port, "metrics_host": metrics_host}
    settings = load_settings(queues=queues, app=app, processes=processes, loop=loop, **metrics)
    several = lifeline is not None or settings.processes > 1
    log_to_stderr(log_level, several=several)
    if several and lifeline is None:
        _supervise(_again(ctx), settings.processes, run_once=run_once)
        return
    # Here and not above: it loads SQLAlchemy, which a supervisor does without.
    from soniq_sa.cli.work import work

    work(
        settings,
        lifeline,
        run_once=run_once,
        log_level=log_level,
        concurrency=concurrency,
        drain_timeout=drain_timeout,
        poll_interval=poll_interval,
        job_timeout=job_timeout,
        retention_done=retention_done,
        retention_cancelled=retention_cancelled,
        retention_dead=retention_dead,
    )


def _supervise(command: Sequence[str], processes: int, *, run_once: bool) -> None:
    """Run the command in several processes, and exit as they did; no code of the user is imported."""

    async def run() -> int:
        return await Supervisor(command, processes, run_once=run_once).run()

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        raise typer.Exit(runner.run(run()))


def _again(ctx: typer.Context) -> list[str]:
    """Return the command, with the same options, for a fresh interpreter."""
    command = [sys.executable, "-m", "soniq_sa", "worker"]
    for name, value in ctx.params.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            command.append(option)
        elif value is not None and value is not False:
            command.append(f"{option}={value}")
    return command


commands = new_commands(worker)
