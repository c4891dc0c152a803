"""Goes through all checks, and gathers what they find."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace

from soniq_sa.cli.doctor.check import DoctorCheck
from soniq_sa.cli.doctor.checks import CHECKS
from soniq_sa.cli.doctor.finding import Finding, note, warning
from soniq_sa.cli.doctor.patient import Patient
from soniq_sa.errors import DatabaseUnreachableError
from soniq_sa.link import DatabaseAway, StatementRefused
from soniq_sa.statements.schema import ping


async def examination(
    patient: Patient, checks: Sequence[DoctorCheck] = CHECKS
) -> AsyncIterator[Finding]:
    """Yield what is found; raise `DatabaseUnreachableError` if there is no connection.

    A check that the database does not answer, or does not allow, is itself a finding.
    """
    try:
        await patient.link.execute(ping())
    except DatabaseAway as error:
        raise DatabaseUnreachableError(
            f"{patient.url} does not answer: {error}. Check SONIQ_SA_DATABASE_URL, --database-url or the "
            "engine of your Soniq."
        ) from error
    for check in checks:
        for finding in await _findings(patient, check):
            yield replace(finding, check=check.name)


async def _findings(patient: Patient, check: DoctorCheck) -> Iterable[Finding]:
    if check.needs != "server" and not patient.has_tables:
        return []
    if check.needs == "app" and patient.app is None:
        return [note("not looked at: this needs the application", "Add --app module:attribute.")]
    if check.counts_rows and not patient.sees_all_rows:
        what = "not looked at: row-level security hides rows from this role"
        return [note(what, "See what is said of its privileges.")]
    try:
        return list(await check.examine(patient))
    except (DatabaseAway, StatementRefused) as error:
        return [warning(f"could not be looked at: {error}", "See to that, and run this again.")]
