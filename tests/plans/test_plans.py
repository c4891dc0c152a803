"""Every hot statement finds its rows by the index made for it, whatever PostgreSQL believes of the table.

A worker's connection plans a statement once and keeps the plan until the table is analyzed, so one that
is made while the table is empty must do for many jobs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import psycopg
import pytest

from tests.plans.conftest import Tables
from tests.plans.explaining import FIRST, LATER, WORKER, Manner, Plan, explain
from tests.plans.filling import MODELS
from tests.plans.hot_statements import HotStatement, hot_statements
from tests.plans.sizes import FILLED, SIZES
from tests.plans.statistics import ALL, believed

pytestmark = pytest.mark.timeout(600)  # a million rows in each state take their time

_PLANNED = ("soniq_jobs", "soniq_attempts", "soniq_progress")


def cases(manners: set[Manner], sizes: Sequence[int]) -> Sequence[object]:
    """Return each size with each statement that is sent in one of the manners."""
    return [
        pytest.param(rows, statement, id=f"{statement}-{rows:,}_rows")
        for rows in sizes
        for statement in hot_statements()
        if manners & set(statement.manners)
    ]


_OF_WORKERS = cases({WORKER}, SIZES)
_OF_APPLICATIONS = cases({FIRST, LATER}, FILLED)


@pytest.mark.parametrize(("rows", "statement"), _OF_WORKERS)
def test_a_worker_uses_the_index_made_for_its_statement(
    tables: Tables, rows: int, statement: HotStatement
) -> None:
    assert not list(bad_plans(tables(rows), statement, WORKER))


@pytest.mark.parametrize(("rows", "statement"), _OF_APPLICATIONS)
@pytest.mark.parametrize("manner", [FIRST, LATER], ids=["first times", "later"])
def test_an_application_uses_the_index_made_for_its_statement(
    tables: Tables, rows: int, statement: HotStatement, manner: Manner
) -> None:
    assert not list(bad_plans(tables(rows), statement, manner))


def bad_plans(
    connection: psycopg.Connection, statement: HotStatement, manner: Manner
) -> Iterator[str]:
    """Yield what is wrong with the plans of a statement, for all statistics."""
    for belief in ALL:
        if belief in statement.unless:
            continue
        with believed(connection, belief):
            plan = explain(connection, statement.make(MODELS), statement.values, manner)
        for problem in problems(plan, statement):
            yield f"{belief}, {manner.name}: it {problem}\n{plan.text}\n"


def problems(plan: Plan, statement: HotStatement) -> Iterator[str]:
    """Yield what is wrong with one plan."""
    scans = [scan for scan in plan.scans if scan.table in _PLANNED]
    for scan in scans:
        if scan.index is None:
            yield f"reads all of {scan.table}"
        elif not scan.bounded and scan.index not in statement.whole:
            yield f"walks through all of {scan.index}"
    used = {scan.index for scan in scans if scan.index is not None}
    if used != statement.indexes:
        yield f"uses {sorted(used)} instead of {sorted(statement.indexes)}"
    for keys in plan.sorts:
        yield f"sorts by {keys}"
