"""Whether the server takes writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row

from soniq_sa.cli.doctor.check import asking
from soniq_sa.cli.doctor.finding import Finding, ok, problem
from soniq_sa.cli.doctor.patient import Patient
from soniq_sa.statements.doctor.server import server_mode


def judge(patient: Patient, rows: Sequence[Row[Any]]) -> Iterable[Finding]:
    """Refuse a standby, and sessions that may only read."""
    (row,) = rows
    if row.standby:
        yield problem(
            f"{patient.url} is a standby: it takes no jobs, and workers can claim none",
            "Connect to the primary. A URL with several hosts takes target_session_attrs=read-write.",
        )
    elif row.read_only == "on":
        yield problem(
            "sessions of handlers may only read (default_transaction_read_only)",
            "ALTER ROLE … or ALTER DATABASE … RESET default_transaction_read_only, or another role.",
        )
    else:
        yield ok(f"{patient.url} answers, and takes writes")


MODE = asking("connection", lambda _: server_mode(), judge, needs="server", of_sessions=True)
