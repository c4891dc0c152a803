"""A shop with tables of its own around the jobs, and its database."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from soniq_sa.engines import make_sync_engine
from tests.cli.commands import soniq_sa

OK, FAILED, USAGE, SCHEMA, UNREACHABLE = 0, 1, 2, 4, 5

MODELS = """
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from soniq_sa import Soniq
from soniq_sa.models import JobMixin, include_tables, job_fk


class Base(DeclarativeBase):
    pass


class Tenant(Base):
    __tablename__ = "tenants"
    id: Mapped[int] = mapped_column(primary_key=True)


class Job(JobMixin, Base):
    tenant_id: Mapped[int | None] = mapped_column(ForeignKey("tenants.id"), index=True)


include_tables(Base.metadata{options})
soniq = Soniq(Base.metadata)


@soniq.job
async def send_invoice(number: int) -> None:
    pass
"""


class Shop:
    """The folder of a program, and a database in which its own table is."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.engine: Engine = make_sync_engine(url)
        self.write()
        self.execute("CREATE TABLE tenants (id serial PRIMARY KEY)")

    def write(self, options: str = "") -> None:
        """Write ``shop.py``, with these options of ``include_tables``."""
        (self.folder / "shop.py").write_text(MODELS.replace("{options}", options))

    def execute(self, *statements: str) -> None:
        """Execute statements of an administrator."""
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def value(self, query: str) -> Any:
        """Return the first value that a query finds."""
        with self.engine.connect() as connection:
            return connection.execute(text(query)).scalar()

    def schema(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run ``soniq-sa schema ...`` for the shop."""
        settings = {"SONIQ_SA_APP": "shop:soniq", "SONIQ_SA_DATABASE_URL": self.url}
        return soniq_sa(self.folder, "schema", *arguments, **(settings | environment))

    def document(self, *arguments: str) -> Any:
        """Return the one JSON document that ``soniq-sa schema ... --json`` writes."""
        done = self.schema(*arguments, "--json")
        assert done.stderr == ""
        return json.loads(done.stdout)

    def differences(self) -> set[tuple[str, str, str]]:
        """Return what ``schema check`` finds."""
        found = self.document("check")
        return {(one["kind"], one["object"], one["name"]) for one in found["differences"]}

    def run_sql(self, script: str) -> None:
        """Run a script as psql does: each statement by itself, outside a transaction block."""
        engine = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements_of(script):
                connection.exec_driver_sql(statement.replace("%", "%%"))


def statements_of(script: str) -> Iterator[str]:
    """Return the statements of a script that ends each with a semicolon and an empty line."""
    yield from (one.strip() for one in script.split(";\n\n") if one.strip(" ;\n"))
