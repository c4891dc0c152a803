"""Whether the indexes can be used, and are not much larger than they need to be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row

from soniq_sa.cli.doctor.check import asking
from soniq_sa.cli.doctor.finding import Finding, ok, problem, warning
from soniq_sa.cli.doctor.patient import Patient
from soniq_sa.statements.doctor.storage import indexes

_LARGE = 64 * 1024 * 1024
_BYTES_OF_AN_ENTRY = 100
_TOO_LARGE = 10
"""Times what the entries need."""


def judge(_patient: Patient, rows: Sequence[Row[Any]]) -> Iterable[Finding]:
    """Look at each index; a failed CREATE INDEX CONCURRENTLY leaves an invalid one."""
    found = [one for one in map(_finding, rows) if one]
    size = sum(row.bytes for row in rows) / 1024 / 1024
    return found or [ok(f"{len(rows)} indexes are valid, {size:.0f} MB together")]


def _finding(row: Row[Any]) -> Finding | None:
    remedy = f"REINDEX INDEX CONCURRENTLY {row.name}."
    if not row.valid:
        return problem(
            f"the index {row.name} is invalid: it is kept up to date and never used", remedy
        )
    needed = max(row.entries, 1.0) * _BYTES_OF_AN_ENTRY
    if row.entries >= 0 and row.bytes > max(_LARGE, _TOO_LARGE * needed):
        size = f"{row.bytes / 1024 / 1024:.0f} MB for {row.entries:.0f} entries"
        return warning(f"the index {row.name} is bloated: {size}", remedy)
    return None


INDEXES = asking("indexes", indexes, judge)
