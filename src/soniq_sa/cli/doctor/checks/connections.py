"""Whether the server has connections left for workers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row

from soniq_sa.cli.doctor.check import asking
from soniq_sa.cli.doctor.finding import Finding, ok, warning
from soniq_sa.cli.doctor.patient import Patient
from soniq_sa.statements.doctor.server import connections

_OF_A_WORKER = 8
"""Connections that a worker holds beside those of its handlers."""


def judge(_patient: Patient, rows: Sequence[Row[Any]]) -> Iterable[Finding]:
    """Look at the nearest limit."""
    (row,) = rows
    limits = [
        (row.server_limit, row.server, "max_connections of the server, less what is reserved"),
        (row.database_limit, row.database, "the connection limit of the database"),
        (row.role_limit, row.role, "the connection limit of the role"),
    ]
    limit, used, whose = min(
        ((limit, used, whose) for limit, used, whose in limits if limit >= 0),
        key=lambda one: one[0] - one[1],
    )
    text = f"{used} of {limit} connections are in use ({whose})"
    if limit - used < _OF_A_WORKER:
        yield warning(
            text,
            f"A worker holds up to {_OF_A_WORKER}, and those of its handlers. Raise the limit, lower "
            "the pools of the application, or use a pooler.",
        )
    else:
        yield ok(text)


CONNECTIONS = asking("connections", lambda _: connections(), judge, needs="server")
