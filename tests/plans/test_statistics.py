"""What the tests of the plans rest on: that PostgreSQL believes what they say."""

from __future__ import annotations

import psycopg
import pytest

from tests.plans.conftest import Tables
from tests.plans.sizes import FILLED
from tests.plans.statistics import NEVER, TRUE, believed

pytestmark = pytest.mark.skipif(not FILLED, reason="only empty tables are planned for")


@pytest.mark.parametrize(
    ("belief", "low", "high"),
    [
        (TRUE, 0.1, 0.2),
        (NEVER, 0.0, 0.01),
        ("analyzed when all were done", 0.9, 1.1),
        ("analyzed when all waited", 0.0, 0.01),
    ],
)
def test_the_planner_expects_as_many_finished_jobs_as_it_believes(
    tables: Tables, belief: str, low: float, high: float
) -> None:
    connection = tables(FILLED[0])
    with believed(connection, belief):
        done, every = expected(connection, " WHERE state = 'done'"), expected(connection, "")
    assert low <= done / every <= high


def test_a_belief_ends_with_its_block(tables: Tables) -> None:
    connection = tables(FILLED[0])
    before = expected(connection, "")
    with believed(connection, "analyzed with three jobs"):
        assert expected(connection, "") != before
    assert expected(connection, "") == before


def expected(connection: psycopg.Connection, condition: str) -> float:
    """Return how many jobs the planner expects to find."""
    query = f"EXPLAIN (FORMAT JSON) SELECT FROM soniq_jobs{condition}"
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return float(row[0][0]["Plan"]["Plan Rows"])
