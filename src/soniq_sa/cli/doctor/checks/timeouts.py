"""Whether timeouts of the server cut what handlers do; the worker's own connections set none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row

from soniq_sa.cli.doctor.check import asking
from soniq_sa.cli.doctor.finding import Finding, note, ok, warning
from soniq_sa.cli.doctor.patient import Patient
from soniq_sa.statements.doctor.server import server_settings

_CUTS = {
    "statement_timeout": "ends statements of handlers",
    "lock_timeout": "ends statements of handlers that wait for a lock",
    "idle_in_transaction_session_timeout": "closes the session of a handler that waits for anything else",
    "transaction_timeout": "closes the session of a handler",
    "idle_session_timeout": "closes connections that rest in the pool of the application",
}
_SHORT = 1.0
"""Seconds in which a loaded machine may fail to connect, or to run an ordinary statement."""


def judge(patient: Patient, rows: Sequence[Row[Any]]) -> Iterable[Finding]:
    """Warn of what ends almost any statement of a handler, or the handler before its own timeout."""
    found = [_finding(patient, row.name, int(row.setting) / 1000, row.source) for row in rows]
    return [one for one in found if one] or [ok("no timeout of the server applies")]


def _finding(patient: Patient, name: str, seconds: float, source: str) -> Finding | None:
    if not seconds:
        return None
    what = f"{name} is {seconds:g} s (set by: {source}); it {_CUTS[name]}"
    if name == "idle_session_timeout":
        return note(what, "create_engine(..., pool_pre_ping=True) makes new ones in their place.")
    remedy = f"ALTER ROLE … SET {name} = 0 for the role of the workers."
    attempt = patient.settings.job_timeout or float("inf")
    limit = _SHORT if name in {"statement_timeout", "lock_timeout"} else attempt
    return (warning if seconds < limit else note)(what, remedy)


TIMEOUTS = asking(
    "timeouts", lambda _: server_settings(*_CUTS), judge, needs="server", of_sessions=True
)
