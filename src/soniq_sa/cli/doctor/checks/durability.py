"""Whether the server keeps what it has committed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row

from soniq_sa.cli.doctor.check import asking
from soniq_sa.cli.doctor.finding import Finding, ok, problem, warning
from soniq_sa.cli.doctor.patient import Patient
from soniq_sa.statements.doctor.server import server_settings


def judge(_patient: Patient, rows: Sequence[Row[Any]]) -> Iterable[Finding]:
    """Tell of what a crash of the server would cost."""
    found = {row.name: row.setting for row in rows}
    bad = [
        problem(
            f"{name} is off: a crash of the machine may destroy the database",
            f"ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf().",
        )
        for name in ("fsync", "full_page_writes")
        if found[name] == "off"
    ]
    if found["synchronous_commit"] == "off":
        bad.append(
            warning(
                "synchronous_commit is off: a crash of the server loses the last commits, jobs too",
                "Turn it on for the roles that enqueue and for workers: ALTER ROLE … SET "
                "synchronous_commit = on.",
            )
        )
    return bad or [ok("commits are on disk before they are confirmed")]


DURABILITY = asking(
    "durability",
    lambda _: server_settings("fsync", "full_page_writes", "synchronous_commit"),
    judge,
    needs="server",
)
