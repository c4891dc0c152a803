"""The next version of the library, simulated: import it before the models, and it changes their tables.

A column, one more state in the check, another predicate of the claim index, another body of the
trigger. All of it as CONTRIBUTING.md asks for, so the two versions may run beside each other.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, Index, Table, Text, text
from sqlalchemy.orm import MappedColumn
from sqlalchemy.sql.naming import conv

from soniq_sa.models import JobMixin, wake_trigger
from soniq_sa.models.mixins import added_column
from soniq_sa.states import JobState

COLUMN = "lane"
STATE = "parked"
CONDITION = "state IN ({})".format(", ".join(f"'{state}'" for state in (*JobState, STATE)))
PREDICATE = f"state IN ('{JobState.QUEUED}', '{STATE}')"
COMMENT = "-- the next version"

_columns = JobMixin.soniq_columns.__func__  # type: ignore[attr-defined]
_complete = JobMixin.soniq_complete.__func__  # type: ignore[attr-defined]


def _next_columns(cls: type[JobMixin]) -> dict[str, MappedColumn[Any]]:
    return {**_columns(cls), COLUMN: added_column(Text())}


def _complete_next(cls: type[JobMixin], table: Table) -> None:
    _complete(cls, table)
    check = named(table.constraints, f"ck_{table.name}_state_1")
    table.constraints.remove(check)
    name = conv(f"ck_{table.name}_state_2")
    CheckConstraint(CONDITION, name=name, table=table)
    index = named(table.indexes, f"ix_{table.name}_claim_1")
    table.indexes.remove(index)
    name = conv(f"ix_{table.name}_claim_2")
    Index(name, *index.columns, postgresql_where=text(PREDICATE))


def named(objects: Any, name: str) -> Any:
    """Return the one of this name."""
    (found,) = [one for one in objects if one.name == name]
    return found


JobMixin.soniq_columns = classmethod(_next_columns)  # type: ignore[assignment, method-assign]
JobMixin.soniq_complete = classmethod(_complete_next)  # type: ignore[assignment, method-assign]
wake_trigger._BODY = f"\n{COMMENT}{wake_trigger._BODY}"  # noqa: SLF001
