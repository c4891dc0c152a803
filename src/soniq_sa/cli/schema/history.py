"""Whether Alembic looks after the job tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from soniq_sa.cli.schema.env_search import USUAL_FOLDER, config_of, script_location
from soniq_sa.errors import SoniqError
from soniq_sa.models.roles import Models
from soniq_sa.models.sql_names import qualified, without_parameters
from soniq_sa.statements.schema import alembic_versions


class UnderAlembicError(SoniqError):
    """Say that Alembic's history knows the tables, or may know them."""


@dataclass(frozen=True, slots=True)
class AlembicHistory:
    """A version table of the database, and whether the revisions at hand make the job tables.

    ``makes_jobs`` is None if there are no revisions in the working directory to look into.
    """

    table: str
    version: str
    makes_jobs: bool | None


def refuse_under_alembic(connection: Connection, models: Models, instead: str) -> None:
    """Raise `UnderAlembicError` if Alembic's history knows the job tables, or may know them."""
    history = _find_history(connection, models)
    if history is None or history.makes_jobs is False:
        return
    reason = (
        f"and its revisions make {models.jobs.name}"
        if history.makes_jobs
        else f"and no revisions were found in {Path.cwd()} that would tell whether they make "
        f"{models.jobs.name}"
    )
    raise UnderAlembicError(
        f"This database is under Alembic ({history.table} is at {history.version}), {reason}. "
        f"{instead} To leave Alembic out of it: --outside-alembic."
    )


def _find_history(connection: Connection, models: Models) -> AlembicHistory | None:
    for row in connection.execute(alembic_versions()).all():
        table = qualified(row.tablename, row.schemaname)
        select = without_parameters(f"SELECT version_num FROM {table}")  # noqa: S608 - quoted
        versions = connection.execute(text(select)).scalars().all()
        if versions:
            return AlembicHistory(table, ", ".join(versions), _revisions_make(models.jobs.name))
    return None


def _revisions_make(table: str) -> bool | None:
    """Tell whether a revision of the project here mentions the table."""
    for folder in (Path(), USUAL_FOLDER):
        config = config_of(folder)
        if script_location(config):
            script = ScriptDirectory.from_config(config)
            places = [script.dir, *script.version_locations]
            files = (file for place in places for file in Path(place).rglob("*.py"))
            return any(table in file.read_text("utf-8") for file in files)
    return None
