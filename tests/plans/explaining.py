"""How PostgreSQL would run a prepared statement: which tables it reads, and by which indexes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Executable
from sqlalchemy.dialects.postgresql.asyncpg import dialect

from soniq_sa.statements.settings import own_settings
from tests.plans.filling import run

Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Manner:
    """How those who send a statement have their connections plan it: the SQL that says so."""

    name: str
    settings: str


_SETTINGS = str(
    own_settings(duration=600, lock_wait=None, durable=True, local=True).compile(
        dialect=dialect(),  # type: ignore[no-untyped-call]
        compile_kwargs={"literal_binds": True},
    )
)
WORKER = Manner("a worker's connection", _SETTINGS)
FIRST = Manner("an application, first times", "SET LOCAL plan_cache_mode = force_custom_plan")
"""PostgreSQL plans a prepared statement with the values at first."""
LATER = Manner("an application, later", "SET LOCAL plan_cache_mode = force_generic_plan")
"""After five times, it may plan once for all values."""


@dataclass(frozen=True, slots=True)
class Scan:
    """How rows of one table are found: by an index, or, without one, by reading all.

    bounded: It has a condition on the index, or stops after a few rows.
    """

    table: str
    index: str | None
    bounded: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan, where it reads, and by what it sorts rows of a table.

    rows, pages: What it found and how many pages it read, if it was run.
    """

    text: str
    scans: list[Scan]
    sorts: list[str]
    rows: int
    pages: int


def explain(
    connection: psycopg.Connection,
    statement: Executable,
    values: Mapping[str, Any],
    manner: Manner,
    *,
    analyze: bool = False,
) -> Plan:
    """Return the plan of ``statement``, prepared, in a transaction; ``analyze``: Run it, too."""
    run(connection, manner.settings)
    compiled: Any = statement.compile(dialect=dialect())  # type: ignore[attr-defined, no-untyped-call]
    expanded = compiled.construct_expanded_state(dict(values))
    literals = [sql.Literal(one) for one in expanded.positional_parameters]
    run(connection, f"PREPARE planned AS {expanded.statement}")
    try:
        arguments = (
            sql.SQL("({})").format(sql.SQL(", ").join(literals)) if literals else sql.SQL("")
        )
        row = connection.execute(
            sql.SQL("EXPLAIN (FORMAT JSON{}) EXECUTE planned{}").format(
                sql.SQL(", ANALYZE, BUFFERS" if analyze else ""), arguments
            )
        ).fetchone()
    finally:
        run(connection, "DEALLOCATE planned")
    assert row is not None
    root = row[0][0]["Plan"]
    nodes = list(_walk(root))
    sorts = [node for node, *_ in nodes if node["Node Type"] == "Sort" and _reads_table(node)]
    return Plan(
        "\n".join(_outline(root)),
        [scan for node, table, limited in nodes for scan in _scans(node, table, limited)],
        [f"{node['Sort Key']}" for node in sorts],
        root.get("Actual Rows", 0),
        root.get("Shared Hit Blocks", 0) + root.get("Shared Read Blocks", 0),
    )


def _walk(
    node: Node, table: str = "", *, limited: bool = False
) -> Iterator[tuple[Node, str, bool]]:
    """Yield every node, with the table that it or the bitmap scan above it reads, and its limit.

    What is read below a sort, an aggregate or another such node is not limited by what is above.
    """
    table = node.get("Relation Name", table)
    yield node, table, limited
    passes_on = node["Node Type"] in {"Limit", "LockRows", "Append", "Result", "Subquery Scan"}
    for child in node.get("Plans", ()):
        below = passes_on and (limited or node["Node Type"] == "Limit")
        yield from _walk(child, table, limited=below)


def _reads_table(node: Node) -> bool:
    """Tell whether rows of a table go through a node, not those of a CTE."""
    return "Relation Name" in node or any(
        _reads_table(child)
        for child in node.get("Plans", ())
        if child.get("Parent Relationship") in {"Outer", "Inner", "Subquery"}
    )


def _scans(node: Node, table: str, limited: bool) -> Iterator[Scan]:  # noqa: FBT001
    match node["Node Type"]:
        case "Seq Scan" | "Sample Scan":
            yield Scan(table, None, bounded=False)
        case "Index Scan" | "Index Only Scan" | "Bitmap Index Scan":
            yield Scan(table, node["Index Name"], bounded=limited or "Index Cond" in node)


def _outline(node: Node, depth: int = 0) -> Iterator[str]:
    names = ("Relation Name", "Index Name", "Index Cond", "Filter", "Sort Key", "Plan Rows")
    shown = [f"{name}: {node[name]}" for name in names if name in node]
    yield "  " * depth + "; ".join([node["Node Type"], *shown])
    for child in node.get("Plans", ()):
        yield from _outline(child, depth + 1)
