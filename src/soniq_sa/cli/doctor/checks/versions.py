"""The versions of everything that takes part."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any

from sqlalchemy import Row

from soniq_sa.cli.doctor.check import asking
from soniq_sa.cli.doctor.finding import Finding, ok, problem
from soniq_sa.cli.doctor.patient import Patient
from soniq_sa.statements.doctor.server import server_settings

OLDEST = 13


def judge(_patient: Patient, rows: Sequence[Row[Any]]) -> Iterable[Finding]:
    """Refuse a server that is older than what is supported."""
    found = {row.name: row.setting for row in rows}
    ours = [f"Python {platform.python_version()}"]
    ours += [f"{name} {version(name)}" for name in ("soniq-sa", "SQLAlchemy", "asyncpg")]
    server = f"PostgreSQL {found['server_version'].split()[0]}"
    if int(found["server_version_num"]) < OLDEST * 10_000:
        yield problem(
            f"{server} is not supported", f"Upgrade the server to PostgreSQL {OLDEST} or newer."
        )
    else:
        yield ok(", ".join([server, *ours]))


VERSIONS = asking(
    "versions",
    lambda _: server_settings("server_version", "server_version_num"),
    judge,
    needs="server",
)
