"""Whether this role may do what a worker does: what ``soniq-sa grants`` gives to one.

A privilege is not enough where row-level security is on: without a policy for this role its rows are not
there, and what is counted is too little.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Row

from soniq_sa.cli.doctor.check import DoctorCheck
from soniq_sa.cli.doctor.finding import Finding, ok, problem, warning
from soniq_sa.cli.doctor.patient import Patient
from soniq_sa.cli.grants.privileges import privileges_of
from soniq_sa.cli.grants.roles import GrantRole
from soniq_sa.models.roles import Models
from soniq_sa.statements.doctor.server import missing_rights
from soniq_sa.statements.row_security import withheld
from soniq_sa.statements.schema import table_name

_GRANT = "grant it the role of a worker: soniq-sa grants --role worker prints the SQL."


def _wanted(models: Models) -> Iterator[tuple[str, str, str | None]]:
    for one in privileges_of(GrantRole.WORKER, models):
        for column in one.columns or (None,):
            yield table_name(one.table), one.verb, column


async def examine(patient: Patient) -> Iterable[Finding]:
    """Ask for the privileges, and for what row-level security lets through."""
    wanted = [*_wanted(patient.models)]
    ours = {table_name(table) for table in patient.models.tables}
    limited = await patient.link.execute(
        withheld(sorted({(table, verb) for table, verb, _ in wanted if table in ours}))
    )
    patient.sees_all_rows = all(row.right != "SELECT" for row in limited)
    missing = await patient.link.execute(missing_rights(wanted))
    lacks = {(row.on_what, row.right) for row in missing}
    others = [row for row in limited if (row.on_what, row.right) not in lacks]
    found = [*_missing(missing), *_limited(others)]
    return found or [ok("the role may do all that a worker does")]


def _missing(rows: Sequence[Row[Any]]) -> Iterable[Finding]:
    """Tell what is missing; a role that only looks at jobs or enqueues them needs less."""
    missing: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row.right not in missing[row.on_what]:
            missing[row.on_what].append(row.right)
    for table, rights in missing.items():
        yield warning(
            f"a worker under this role lacks {', '.join(rights)} on {table}",
            f"If workers use it, {_GRANT}",
        )


def _limited(rows: Sequence[Row[Any]]) -> Iterable[Finding]:
    """Tell what row-level security leaves of the rights; whoever sees no row takes the tables for empty."""
    rights: dict[tuple[str, bool], list[str]] = defaultdict(list)
    for row in rows:
        rights[row.on_what, row.nothing].append(row.right)
    for (table, nothing), verbs in rights.items():
        which = "no row" if nothing else "only some rows"
        what = (
            f"row-level security lets {', '.join(sorted(verbs))} of this role at {which} of {table}"
        )
        if "SELECT" in verbs:
            what += ": a worker does not see the others, nor does the doctor"
        tell = problem if nothing and "SELECT" in verbs else warning
        yield tell(what, f"If workers use this role, {_GRANT}")


RIGHTS = DoctorCheck("privileges", examine, needs="tables")
