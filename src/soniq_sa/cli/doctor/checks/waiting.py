"""Whether the jobs that wait can be run: by their task, and by their queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row

from soniq_sa.app import Soniq
from soniq_sa.cli.doctor.check import asking
from soniq_sa.cli.doctor.finding import Finding, ok, problem, warning
from soniq_sa.cli.doctor.patient import Patient
from soniq_sa.cli.output import counted
from soniq_sa.errors import TaskDefinitionError
from soniq_sa.statements.doctor.work import waiting_by_task
from soniq_sa.suggestions import did_you_mean

_MOST = 10
"""Names that are told, one line each."""


def judge_tasks(patient: Patient, rows: Sequence[Row[Any]]) -> Iterable[Finding]:
    """Look for tasks that the application does not know: its workers leave their jobs alone."""
    known = patient.app.tasks.names if patient.app else []
    broken = [*_broken(patient.app)] if patient.app else []
    yield from broken
    unknown = Counter[str]()
    for row in rows:
        if row.task not in known:
            unknown[row.task] += row.number
    if not unknown and not broken:
        yield ok("the application knows the task of every job that waits")
    for task, number in unknown.most_common(_MOST):
        yield problem(
            f"{counted(number, 'job waits', 'jobs wait')} for the task {task!r}, which the application "
            f"does not know.{did_you_mean(task, known)}",
            "Import its module in the app, name it as an alias of the task that it is now, or run the "
            "program that has it.",
        )
    yield from _rest(unknown, "task")


def _broken(app: Soniq) -> Iterable[Finding]:
    """Look for handlers with which a worker does not start."""
    for task in app.tasks:
        try:
            _ = task.codec
        except TaskDefinitionError as error:
            yield problem(
                f"a worker does not start: {error}", f"Change the handler of {task.name!r}."
            )


def judge_queues(patient: Patient, rows: Sequence[Row[Any]]) -> Iterable[Finding]:
    """Look for queues that a worker with these settings would not serve."""
    served = patient.settings.queues
    if served is None:
        yield ok("a worker that is started here serves every queue")
        return
    left = Counter[str]()
    for row in rows:
        if row.queue not in served:
            left[row.queue] += row.number
    if not left:
        yield ok(f"every job that waits is in one of: {', '.join(served)}")
    for queue, number in left.most_common(_MOST):
        yield warning(
            f"{counted(number, 'job waits', 'jobs wait')} in the queue {queue!r}, which SONIQ_SA_QUEUES "
            "does not name",
            f"Unless workers elsewhere serve it: soniq-sa worker --queues {queue}.",
        )
    yield from _rest(left, "queue")


def _rest(found: Counter[str], noun: str) -> Iterable[Finding]:
    if len(found) > _MOST:
        what = f"… and {counted(len(found) - _MOST, f'further {noun}')}"
        yield warning(what, "See to these, and look again.")


TASKS = asking("tasks", waiting_by_task, judge_tasks, needs="app", counts_rows=True)
QUEUES = asking("queues", waiting_by_task, judge_queues, counts_rows=True)
