"""A report as people read it on a terminal, and as programs do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import typer

from soniq_sa.audit import AuditReport, AuditResult
from soniq_sa.cli.output import counted, hanging
from soniq_sa.lines import one_line
from soniq_sa.statements.audit.check import Scope
from soniq_sa.states import JobState

_COLOURS = {"ok": "green", "violation": "red", "warning": "yellow"}


def text_of(report: AuditReport, scope: Scope) -> str:
    """Return a line for each check, and a block for each that found something."""
    lines = [_head(report, scope), ""]
    for result in report.results:
        lines += _lines(result)
    return "\n".join([*lines, "", _sum(report), *_nothing_looked_at(report, scope)])


def _head(report: AuditReport, scope: Scope) -> str:
    number = {state: report.states[state] for state in _order(report) if report.states[state]}
    states = ", ".join(f"{count} {one_line(state)}" for state, count in number.items())
    part = f" of queue {one_line(scope.queue)!r}" if scope.queue is not None else ""
    return (
        f"{counted(report.jobs, 'job')}{part}{f' ({states})' if states else ''}, "
        f"{counted(report.attempts, 'kept attempt')}, {counted(report.workers, 'living worker')}, "
        f"at {report.taken_at.isoformat(' ', 'seconds')}"
    )


def _order(report: AuditReport) -> list[str]:
    known = [state.value for state in JobState if state in report.states]
    return [*known, *sorted(report.states.keys() - set(known))]


def _lines(result: AuditResult) -> Iterator[str]:
    level = result.level if result.total else "ok"
    label = typer.style(f"{level:<11}", fg=_COLOURS[level])
    number = f" Not so for {counted(result.total, 'job')}:" if result.total else ""
    yield f"{label}{result.check:<11}{hanging(f'{result.promise}{number}', 22)}"
    if not result.total:
        return
    for one in result.findings:
        what = " ".join(map(one_line, filter(None, (one.task, one.queue and f"in {one.queue}"))))
        yield f"{'':11}{one.job_id}  {what}{': ' if what else ''}{one_line(one.wrong)}"
    if rest := result.total - len(result.findings):
        yield f"{'':11}… and {rest} more"
    yield f"{'':11}why:    {hanging(result.means, 19)}"
    yield f"{'':11}to do:  {hanging(result.remedy, 19)}"


def _sum(report: AuditReport) -> str:
    found = len(report.violations), len(report.warnings)
    fine = len(report.results) - sum(found)
    if report.ok:
        kept = f"No violation: {fine} checks are ok"
        return f"{kept}, {counted(found[1], 'warning')}." if found[1] else f"{kept}."
    return (
        f"{counted(found[0], 'violation')}, {counted(found[1], 'warning')}, {fine} checks are ok."
    )


def _nothing_looked_at(report: AuditReport, scope: Scope) -> Iterator[str]:
    if report.jobs == 0 and scope.is_partial:
        yield "No job was looked at, so this proves nothing: see to --queue and --since."


def document_of(report: AuditReport) -> dict[str, Any]:
    """Return the report as JSON takes it."""
    return {
        "ok": report.ok,
        "taken_at": report.taken_at.isoformat(),
        "jobs": report.jobs,
        "states": dict(report.states),
        "attempts": report.attempts,
        "workers": report.workers,
        "checks": [_result(one) for one in report.results],
    }


def _result(result: AuditResult) -> dict[str, Any]:
    findings = [{**asdict(one), "job_id": str(one.job_id)} for one in result.findings]
    return {**asdict(result), "findings": findings}
