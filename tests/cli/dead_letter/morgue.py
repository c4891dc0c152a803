"""A database with dead jobs, and ``soniq-sa dead-letter`` on it, without any code of the user."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from soniq_sa.engines import make_sync_engine
from tests.cli.commands import soniq_sa, soniq_sa_here

OK, FAILED, USAGE, SCHEMA, UNREACHABLE = 0, 1, 2, 4, 5

TABLES = """
from sqlalchemy import Computed, Identity, Text, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from soniq_sa import Soniq
from soniq_sa.models import JobMixin, include_tables


class Base(DeclarativeBase):
    pass


class Job(JobMixin, Base):
    __tablename__ = "{prefix}jobs"
    __table_args__ = {{"schema": {schema!r}}}
    tenant: Mapped[str | None] = mapped_column("tenant id", Text)
    serial: Mapped[int] = mapped_column(Identity(always=True))
    doubled: Mapped[int | None] = mapped_column(Computed("priority * 2", persisted=True))


include_tables(Base.metadata, schema={schema!r}, prefix="{prefix}")
soniq = Soniq(Base.metadata)
"""


class Morgue:
    """A folder without a program, and a database with the tables."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.jobs = "soniq_jobs"
        self.engine: Engine = make_sync_engine(url)

    def create(self, schema: str | None = None, prefix: str = "soniq_") -> None:
        """Create the tables of a program, which is written to ``shop.py`` for ``--app``."""
        program = TABLES.format(schema=schema, prefix=prefix)
        (self.folder / "shop.py").write_text(program)
        names: dict[str, Any] = {"__name__": "shop"}
        exec(compile(program, "shop.py", "exec", dont_inherit=True), names)  # noqa: S102 - ours
        if schema:
            self.execute(f"CREATE SCHEMA {schema}")
        names["soniq"].create_all(self.engine)
        self.jobs = names["soniq"].models.jobs.fullname

    def add(self, number: int = 1, **values: str) -> list[str]:
        """Commit dead jobs, one second after the other; the values are SQL. Return their ids."""
        columns = {
            "id": "gen_random_uuid()",
            "task": "'send'",
            "state": "'dead'",
            "reason": "'timed out'",
            "error": "'Traceback\n  ValueError: no'",
            "finished_at": "timestamptz '2020-01-01 00:00+00' + n * interval '1 second'",
            **values,
        }
        names = ", ".join(f'"{name}"' for name in columns)
        with self.engine.begin() as connection:
            statement = (
                f"INSERT INTO {self.jobs} ({names}) "  # noqa: S608 - ours
                f"SELECT {', '.join(columns.values())} FROM generate_series(1, {number}) AS n "
                "RETURNING id"
            )
            return [str(row.id) for row in connection.execute(text(statement))]

    def execute(self, *statements: str) -> None:
        """Execute statements of an administrator."""
        with self.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def count(self, condition: str = "true") -> int:
        """Return how many jobs there are."""
        return int(self.value(f"SELECT count(*) FROM {self.jobs} WHERE {condition}"))  # noqa: S608 - ours

    def value(self, query: str) -> Any:
        """Return the first value that a query finds."""
        with self.engine.connect() as connection:
            return connection.execute(text(query)).scalar()

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run ``soniq-sa dead-letter ...``; in a process of its own if it imports a program."""
        settings = {"SONIQ_SA_DATABASE_URL": self.url, **environment}
        if "--app" in arguments or "SONIQ_SA_APP" in environment:
            return soniq_sa(self.folder, "dead-letter", *arguments, **settings)
        return soniq_sa_here(self.folder, "dead-letter", *arguments, **settings)

    def said(self, *arguments: str, **environment: str) -> str:
        """Return what a command writes that works."""
        done = self.run(*arguments, **environment)
        assert (done.returncode, done.stderr) == (OK, "")
        return done.stdout

    def document(self, *arguments: str) -> Any:
        """Return the one JSON document that a command writes with ``--json``."""
        return json.loads(self.said(*arguments, "--json"))

    def refused(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """Return the exit code and the error of a command that writes nothing else."""
        done = self.run(*arguments, **environment)
        assert done.stdout == ""
        assert "Traceback (most" not in done.stderr
        return done.returncode, done.stderr
