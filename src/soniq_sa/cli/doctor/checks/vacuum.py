"""Whether the job table is vacuumed and analyzed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row

from soniq_sa.cli.doctor.check import asking
from soniq_sa.cli.doctor.finding import Finding, note, ok, problem, warning
from soniq_sa.cli.doctor.patient import Patient
from soniq_sa.statements.doctor.server import server_settings
from soniq_sa.statements.doctor.storage import table_health

_MANY_DEAD = 50_000
_MANY_ROWS = 10_000


def judge_settings(_patient: Patient, rows: Sequence[Row[Any]]) -> Iterable[Finding]:
    """Look whether the server vacuums by itself at all."""
    off = [row.name for row in rows if row.setting == "off"]
    for name in off:
        yield problem(
            f"{name} is off: nobody removes dead rows, and claims get slower and slower",
            f"ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf().",
        )
    if not off:
        yield ok("autovacuum runs")


def judge_table(patient: Patient, rows: Sequence[Row[Any]]) -> Iterable[Finding]:
    """Look at the dead rows of the job table, and at its statistics."""
    name = patient.models.jobs.fullname
    if not rows:
        return [note(f"there are no statistics of {name}")]
    (row,) = rows
    when = (
        f"last vacuumed: {row.vacuumed_at:%Y-%m-%d %H:%M %Z}"
        if row.vacuumed_at
        else "never vacuumed"
    )
    text = f"{name}: about {row.live} live rows, {row.dead} dead ones, {when}"
    found = []
    if "autovacuum_enabled=false" in row.options:
        remedy = f"ALTER TABLE {name} RESET (autovacuum_enabled)."
        found.append(problem(f"autovacuum is off for {name}", remedy))
    if row.dead > max(_MANY_DEAD, row.live):
        remedy = f"See to what is said of transactions and slots; then VACUUM (ANALYZE) {name}."
        found.append(warning(text, remedy))
    if row.analyzed_at is None and row.live > _MANY_ROWS:
        found.append(
            warning(f"{name} was never analyzed: its plans are guesses", f"ANALYZE {name}.")
        )
    return found or [ok(text)]


AUTOVACUUM = asking(
    "autovacuum",
    lambda _: server_settings("autovacuum", "track_counts"),
    judge_settings,
    needs="server",
)
DEAD_ROWS = asking("dead rows", table_health, judge_table)
