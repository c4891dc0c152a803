"""What a guard is told of its worker, before it may have to know it: one line of JSON.

app, lease, beat_every, drain_timeout: As in `Settings`.
retention: For how long cancelled jobs are kept, as a flag; None: as the settings say.
job_timeout: For how long the lease is renewed if no task is found out.
names: Of each handler its file, its function, its task name, and the seconds that an attempt may take.
log_level, supervised: How the worker logs, and whether a supervisor speaks to it: then a second signal
    says nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from types import CodeType
from typing import Any

from soniq_sa.runtime.worker import Worker
from soniq_sa.task import Task


def introduction(worker: Worker, app: str | None) -> dict[str, Any]:
    """Return what the guard of ``worker`` has to know."""
    settings = worker.settings
    return {
        "app": app,
        "lease": settings.lease,
        "beat_every": settings.beat_every,
        "drain_timeout": settings.drain_timeout,
        "retention": settings.retention_cancelled,
        "job_timeout": settings.job_timeout,
        "names": _names_of(worker.soniq.tasks, settings.job_timeout),
    }


def _names_of(
    tasks: Iterable[Task[..., Any]], job_timeout: float
) -> list[tuple[str, str, str, float]]:
    """Return the handlers; a function that several share, as those of one decorator do, leads to none."""
    named: dict[tuple[str, str], tuple[str, float] | None] = {}
    for task in tasks:
        limit = job_timeout if task.timeout is None else task.timeout
        for code in _codes(task.handler):
            key = code.co_filename, code.co_name
            named[key] = (task.name, limit) if key not in named else None
    return [(*key, *found) for key, found in named.items() if found is not None]


def _codes(handler: Any) -> Iterator[CodeType]:
    for function in {id(one): one for one in (handler, inspect.unwrap(handler))}.values():
        code = getattr(function, "__code__", None) or getattr(function.__call__, "__code__", None)
        if code is not None:
            yield code
