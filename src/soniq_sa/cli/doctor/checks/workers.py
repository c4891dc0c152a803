"""Which workers are there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row

from soniq_sa.cli.doctor.check import asking
from soniq_sa.cli.doctor.finding import Finding, note, ok, problem
from soniq_sa.cli.doctor.patient import Patient
from soniq_sa.cli.output import counted
from soniq_sa.statements.doctor.work import worker_counts

_START = "Start one: soniq-sa worker --app module:attribute."


def judge(_patient: Patient, rows: Sequence[Row[Any]]) -> Iterable[Finding]:
    """Look at the worker table."""
    (row,) = rows
    if row.alive:
        yield ok(f"{counted(row.alive, 'worker is', 'workers are')} alive")
    elif row.queued:
        yield problem("no worker is alive, and jobs are queued", _START)
    else:
        yield note("no worker is alive; no job is queued", _START)
    if row.stale:
        what = (
            f"{counted(row.stale, 'worker has', 'workers have')} been dead for more than a minute"
        )
        yield note(
            what, "The next worker that runs takes over what they had. To see it: soniq-sa audit."
        )


WORKERS = asking("workers", worker_counts, judge, counts_rows=True)
