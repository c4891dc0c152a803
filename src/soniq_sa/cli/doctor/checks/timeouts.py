"""Whether timeouts of the server cut what workers do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row

from soniq_sa.cli.doctor.check import asking
from soniq_sa.cli.doctor.finding import Finding, note, ok, warning
from soniq_sa.cli.doctor.patient import Patient
from soniq_sa.statements.doctor.server import server_settings

_CUTS = {
    "statement_timeout": "ends statements, in handlers and of the worker",
    "lock_timeout": "ends statements that wait for a lock",
    "idle_in_transaction_session_timeout": "closes the session of a handler that waits for anything else",
    "transaction_timeout": "closes the session of a handler",
    "idle_session_timeout": "closes the connections that a worker holds while nothing is to do",
}
_SHORT = 10.0
"""Seconds that a statement of the worker's own may take."""


def judge(patient: Patient, rows: Sequence[Row[Any]]) -> Iterable[Finding]:
    """Warn of what ends a worker's statements, or a handler before its own timeout."""
    found = [_finding(patient, row.name, int(row.setting) / 1000, row.source) for row in rows]
    return [one for one in found if one] or [ok("no timeout of the server applies")]


def _finding(patient: Patient, name: str, seconds: float, source: str) -> Finding | None:
    if not seconds:
        return None
    what = f"{name} is {seconds:g} s (set by: {source}); it {_CUTS[name]}"
    remedy = f"ALTER ROLE … SET {name} = 0 for the role of the workers."
    attempt = patient.settings.job_timeout or float("inf")
    limit = _SHORT if name in {"statement_timeout", "lock_timeout"} else attempt
    if seconds < limit or name == "idle_session_timeout":
        return warning(what, remedy)
    return note(what, remedy)


TIMEOUTS = asking("timeouts", lambda _: server_settings(*_CUTS), judge, needs="server")
