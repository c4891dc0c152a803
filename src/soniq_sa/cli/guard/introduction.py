"""What a guard is told of its worker, before it may have to know it: one line of JSON.

app, lease, beat_every, drain_timeout: As in `Settings`.
retention: For how long cancelled jobs are kept, as a flag; None: as the settings say.
longest: Seconds for which the lease is renewed if no task is found out: as many as any of them may take,
    0 for ever.
names: Of each handler its file and its function, as they are dumped, its task name, and the seconds that an
    attempt may take.
log_level, supervised: How the worker logs, and whether a supervisor speaks to it: then a second signal
    says nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from types import CodeType
from typing import Any

from soniq_sa.cli.guard.stacks import as_dumped
from soniq_sa.runtime.worker import Worker
from soniq_sa.task import Task


def introduction(worker: Worker, app: str | None) -> dict[str, Any]:
    """Return what the guard of ``worker`` has to know."""
    settings, tasks = worker.settings, [*worker.soniq.tasks]
    limits = [_limit_of(task, settings.job_timeout) for task in tasks]
    return {
        "app": app,
        "lease": settings.lease,
        "beat_every": settings.beat_every,
        "drain_timeout": settings.drain_timeout,
        "retention": settings.retention_cancelled,
        "longest": 0.0 if 0 in limits else max([settings.job_timeout, *limits]),
        "names": _names_of(tasks, settings.job_timeout),
    }


def _names_of(
    tasks: Iterable[Task[..., Any]], job_timeout: float
) -> list[tuple[str, str, str, float]]:
    """Return the handlers; a function that several share, as those of one decorator do, leads to none."""
    named: dict[tuple[str, str], tuple[str, float] | None] = {}
    for task in tasks:
        limit = _limit_of(task, job_timeout)
        for code in _codes(task.handler):
            key = as_dumped(code.co_filename), as_dumped(code.co_name)
            named[key] = (task.name, limit) if key not in named else None
    return [(*key, *found) for key, found in named.items() if found is not None]


def _limit_of(task: Task[..., Any], job_timeout: float) -> float:
    """Return the seconds that an attempt may take, 0 for ever."""
    return job_timeout if task.timeout is None else task.timeout


def _codes(handler: Any) -> Iterator[CodeType]:
    for function in {id(one): one for one in (handler, inspect.unwrap(handler))}.values():
        code = getattr(function, "__code__", None) or getattr(function.__call__, "__code__", None)
        if code is not None:
            yield code
