"""The next version of the library, on tables that it takes seconds to read.

The check, and an index that comes with this version, ask the function of `tests.alembic.history`.
"""

from __future__ import annotations

from sqlalchemy import Index, Table, text
from sqlalchemy.sql.naming import conv

from soniq_sa.models import JobMixin
from tests.alembic import next_version

next_version.CONDITION += " AND slow(queue)"
_complete = JobMixin.soniq_complete.__func__  # type: ignore[attr-defined]


def _complete_slowly(cls: type[JobMixin], table: Table) -> None:
    _complete(cls, table)
    where = text("slow(queue)")
    Index(conv(f"ix_{table.name}_history_1"), table.c.finished_at, postgresql_where=where)


JobMixin.soniq_complete = classmethod(_complete_slowly)  # type: ignore[assignment, method-assign]
