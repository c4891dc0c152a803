"""How PostgreSQL carries a statement out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Executable
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True)
class Plan:
    """How often each index, or kind of step, was used; and the most rows that a step went through."""

    used: Counter[str]
    touched: int


async def plan_of(
    connection: AsyncConnection, statement: Executable, *, mode: str, **parameters: str
) -> Plan:
    """Execute a statement with parameters that are SQL, inside the transaction of ``connection``.

    mode: The ``plan_cache_mode``: ``force_generic_plan`` is what a worker sets.
    """
    compiled: Any = statement.compile(dialect=connection.dialect)  # type: ignore[attr-defined]
    values = {**compiled.params, **parameters}
    given = ", ".join(_literal(values[name]) for name in compiled.positiontup)
    driver: Any = (await connection.get_raw_connection()).driver_connection
    await driver.execute(f"SET LOCAL plan_cache_mode = {mode}; PREPARE asked AS {compiled}")
    call = f"asked ({given})" if given else "asked"
    ((found,),) = await driver.fetch(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE {call}")
    await driver.execute("DEALLOCATE asked")
    steps = [(json.loads(found) if isinstance(found, str) else found)[0]["Plan"]]
    used: Counter[str] = Counter()
    touched = 0
    while steps:
        step = steps.pop()
        steps += step.get("Plans", [])
        used[step.get("Index Name") or step["Node Type"]] += 1
        dropped = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
        rows = step["Actual Rows"] + sum(step.get(name, 0) for name in dropped)
        touched = max(touched, int(rows * step["Actual Loops"]))
    return Plan(used, touched)


def uuids(ids: Iterable[UUID]) -> str:
    """Return an array as SQL."""
    return f"'{{{', '.join(map(str, ids))}}}'::uuid[]"


def _literal(value: Any) -> str:
    return "NULL" if value is None else str(value)
