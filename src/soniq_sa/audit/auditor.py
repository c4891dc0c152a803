"""Asks the tables every check, in one snapshot that changes nothing.

All checks see the tables as they were at one moment, so what is under way is never seen halfway: each
step of a job is one transaction. Two things may be seen although nothing is wrong, and take time to
tell. A worker is dead when its lease has ended; its jobs may wait for their rescue as long as patience
lasts. And a worker may have left the worker table a moment ago: so if jobs belong to workers that are
not there, the audit waits for that long before its snapshot, and asks only about these workers.

    look for missing workers ──none──────────────▶ snapshot: all checks
                             └─some──▶ patience ──▶
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from soniq_sa.audit.report import AuditFinding, AuditReport, AuditResult
from soniq_sa.errors import RowsHiddenError
from soniq_sa.models.roles import Models
from soniq_sa.statements.audit import CHECKS
from soniq_sa.statements.audit.check import AuditCheck, Scope
from soniq_sa.statements.audit.looks import (
    count_others,
    count_states,
    count_wrong,
    first_wrong,
    prepare,
)
from soniq_sa.statements.audit.orphans import missing_workers
from soniq_sa.statements.row_security import withheld
from soniq_sa.statements.schema import table_name

OnStep = Callable[[str], None]
"""Is told what is looked at now."""


async def audit_tables(
    engine: AsyncEngine,
    models: Models,
    scope: Scope,
    *,
    limit: int,
    on_step: OnStep = lambda _: None,
) -> AuditReport:
    """Return what every check finds. Nothing is written.

    limit: How many jobs of each check are told. on_step: Is told what is looked at now.
    Raises `RowsHiddenError`.
    """
    on_step("missing workers")
    async with _snapshot(engine) as connection:
        await _require_all_rows(connection, models)
        lost = tuple((await connection.execute(missing_workers(models, scope))).scalars())
    if lost:
        on_step(f"missing workers again, in {scope.patience:g} s")
        await asyncio.sleep(scope.patience)
    whole = replace(scope, lost_workers=lost)
    async with _snapshot(engine) as connection:
        taken_at = (await connection.execute(prepare())).one().taken_at
        on_step("all jobs")
        states = (await connection.execute(count_states(models, whole))).all()
        others = (await connection.execute(count_others(models))).one()
        results = []
        for check in CHECKS:
            on_step(check.name)
            results.append(await _result(connection, check, models, whole, limit))
    return AuditReport(
        taken_at,
        {row.state: row.number for row in states},
        others.attempts,
        others.workers,
        tuple(results),
    )


async def _require_all_rows(connection: AsyncConnection, models: Models) -> None:
    """Refuse to look where this role does not see every row: no finding would mean nothing."""
    wanted = [(table_name(table), "SELECT") for table in models.tables]
    if hidden := (await connection.execute(withheld(wanted))).all():
        raise RowsHiddenError(
            f"Row-level security hides rows of {', '.join(row.on_what for row in hidden)} from this role, "
            "and of those an audit could prove nothing. Run it as the owner of the tables, or with the role "
            "worker or maintainer of soniq-sa grants."
        )


@asynccontextmanager
async def _snapshot(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Open a transaction that sees one moment, and can write nothing."""
    reading = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    async with reading.begin() as connection:
        yield connection


async def _result(
    connection: AsyncConnection, check: AuditCheck, models: Models, scope: Scope, limit: int
) -> AuditResult:
    total = (await connection.execute(count_wrong(check, models, scope))).scalar_one()
    rows: Sequence[Row[Any]] = ()
    if total and limit:
        found = await connection.execute(first_wrong(check, models, scope), {"most": limit})
        rows = found.all()
    return AuditResult(
        check=check.name,
        promise=check.promise,
        level=check.level,
        total=total,
        findings=tuple(
            AuditFinding(row.job_id, row.task, row.queue, row.state, row.wrong) for row in rows
        ),
        means=check.means,
        remedy=check.remedy,
    )
