"""For how long jobs have been due, and how many are dead."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row

from soniq_sa.cli.doctor.ages import age_text
from soniq_sa.cli.doctor.check import asking
from soniq_sa.cli.doctor.finding import Finding, note, ok, warning
from soniq_sa.cli.doctor.patient import Patient
from soniq_sa.cli.output import counted
from soniq_sa.statements.doctor.work import backlog, dead_count
from soniq_sa.states import JobState

_LONG = 60.0
"""Seconds."""


def judge_backlog(_patient: Patient, rows: Sequence[Row[Any]]) -> Iterable[Finding]:
    """Look at the oldest job that is due, queue by queue."""
    late = [row for row in rows if row.age >= _LONG]
    if not late:
        due = sum(row.number for row in rows)
        number = counted(due, "job is", "jobs are")
        yield ok(f"{number} due, none for more than {_LONG:.0f} s" if due else "no job is due")
    for row in late:
        what = (
            f"in the queue {row.queue!r} {counted(row.number, 'job is', 'jobs are')} due, the oldest "
            f"for {age_text(row.age)}"
        )
        if row.state == JobState.SCHEDULED:
            yield warning(
                f"{what}, and not even queued",
                "A worker does that: start one, or see what it logs.",
            )
        else:
            yield warning(
                what,
                "More workers, or a higher concurrency; or see what is said of tasks and queues.",
            )


def judge_dead(_patient: Patient, rows: Sequence[Row[Any]]) -> Iterable[Finding]:
    """Count the dead letters."""
    (row,) = rows
    if not row.number:
        yield ok("there are none")
    elif not row.untouched:
        yield ok(f"{row.number}, all of them replayed")
    else:
        what = f"{counted(row.number, 'dead letter')}, {row.untouched} of them not replayed"
        yield note(what, "soniq-sa dead-letter stats, and list.")


BACKLOG = asking("backlog", backlog, judge_backlog, counts_rows=True)
DEAD_LETTERS = asking("dead letters", dead_count, judge_dead, counts_rows=True)
