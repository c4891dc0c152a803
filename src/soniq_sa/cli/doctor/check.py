"""One thing that the doctor looks at: a name, and how it is looked at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Executable, Row

from soniq_sa.cli.doctor.finding import Finding
from soniq_sa.cli.doctor.patient import Patient
from soniq_sa.models.roles import Models

Needs = Literal["server", "tables", "app"]
"""What must be there: the server alone; our tables; or the application as well."""


@dataclass(frozen=True, slots=True)
class DoctorCheck:
    """One thing to look at.

    name: A word to find it by.
    examine: Returns what it finds; at least one finding, if all is well an ``ok``.
    needs: What must be there for it to be looked at.
    counts_rows: Whether it counts rows of our tables, which this role may not see.
    """

    name: str
    examine: Callable[[Patient], Awaitable[Iterable[Finding]]]
    needs: Needs = "server"
    counts_rows: bool = False


def asking(
    name: str,
    statement: Callable[[Models], Executable],
    judge: Callable[[Patient, Sequence[Row[Any]]], Iterable[Finding]],
    *,
    needs: Needs = "tables",
    counts_rows: bool = False,
    of_sessions: bool = False,
) -> DoctorCheck:
    """Return a check that asks one statement, and judges its rows.

    of_sessions: It is about the sessions of handlers, not about the worker's own connections.
    """

    async def examine(patient: Patient) -> Iterable[Finding]:
        ask = patient.ask_session if of_sessions else patient.link.execute
        return judge(patient, await ask(statement(patient.models)))

    return DoctorCheck(name, examine, needs, counts_rows)
