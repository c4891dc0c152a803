"""Whether the tables are as the application expects."""

from __future__ import annotations

from collections.abc import Iterable

from soniq_sa.alembic.check import find_differences
from soniq_sa.cli.doctor.check import DoctorCheck
from soniq_sa.cli.doctor.finding import Finding, note, ok, problem, warning
from soniq_sa.cli.doctor.patient import Patient
from soniq_sa.cli.output import counted
from soniq_sa.errors import SchemaMissingError
from soniq_sa.runtime.schema import check_schema


async def examine(patient: Patient) -> Iterable[Finding]:
    """Look as a worker does at its start; with an app also as ``soniq-sa schema check`` does."""
    names = ", ".join(sorted(table.fullname for table in patient.models.tables))
    try:
        missing = await check_schema(patient.link, patient.models)
    except SchemaMissingError as error:
        patient.has_tables = False
        what, _, remedy = str(error.args[0]).partition(". ")
        if patient.app is None:
            remedy += " If yours have another name, say --schema and --prefix, or --app."
        return [problem(what, remedy)]
    if missing:
        return [
            note(
                f"the database has no {', '.join(missing)} yet, which this release adds",
                "Run its migration: alembic upgrade head.",
            )
        ]
    if patient.app is None:
        return [ok(f"{names} are there")]
    metadata = patient.soniq.tasks.metadata
    async with patient.session() as connection:
        found = await connection.run_sync(lambda one: find_differences(one, metadata))
    if found:
        what = f"{counted(len(found), 'difference')} between the tables and the application"
        return [warning(what, "soniq-sa schema check shows them, and what to do.")]
    return [ok(f"{names} are as the application expects")]


TABLES = DoctorCheck("tables", examine)
