"""Whether this role may do what a worker does: what ``soniq-sa grants`` gives to one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Row

from soniq_sa.cli.doctor.check import asking
from soniq_sa.cli.doctor.finding import Finding, ok, warning
from soniq_sa.cli.doctor.patient import Patient
from soniq_sa.cli.grants.privileges import privileges_of
from soniq_sa.cli.grants.roles import GrantRole
from soniq_sa.models.roles import Models
from soniq_sa.statements.doctor.server import missing_rights
from soniq_sa.statements.schema import table_name


def _wanted(models: Models) -> Iterator[tuple[str, str, str | None]]:
    for one in privileges_of(GrantRole.WORKER, models):
        for column in one.columns or (None,):
            yield table_name(one.table), one.verb, column


def judge(_patient: Patient, rows: Sequence[Row[Any]]) -> Iterable[Finding]:
    """Tell what is missing; a role that only looks at jobs or enqueues them needs less."""
    missing: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row.right not in missing[row.on_what]:
            missing[row.on_what].append(row.right)
    if not missing:
        yield ok("the role may do all that a worker does")
    for table, rights in missing.items():
        yield warning(
            f"a worker under this role lacks {', '.join(rights)} on {table}",
            "If workers use it, grant it the role of a worker: soniq-sa grants --role worker prints the "
            "SQL.",
        )


RIGHTS = asking("privileges", lambda models: missing_rights(_wanted(models)), judge)
