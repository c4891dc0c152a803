"""A database with the tables, and ``soniq-sa doctor`` on it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from sqlalchemy import MetaData

from soniq_sa import Soniq
from soniq_sa.engines import make_sync_engine
from soniq_sa.models import include_tables
from tests.cli.commands import soniq_sa, soniq_sa_here

APP = """
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from soniq_sa import Soniq, inject
from soniq_sa.engines import asyncpg_url
from soniq_sa.models import include_tables
import os

metadata = MetaData()
include_tables(metadata)
url = asyncpg_url(os.environ.get("SONIQ_SA_DATABASE_URL", "postgresql://nowhere"))
engine = create_async_engine(url, pool_size={pool_size}, max_overflow={max_overflow})
soniq = Soniq(metadata{engine})


@soniq.job(name="send_invoice")
async def send_invoice(session: AsyncSession = inject()) -> None: ...
"""

ALIVE = """
INSERT INTO soniq_workers (id, name, expires_at)
VALUES (gen_random_uuid(), 'host:1', now() + interval '1 hour')
"""
NOT_DURABLE = "durability"
"""What is always found on the server of the tests, which is not durable."""

Finding = dict[str, str]


class Clinic:
    """A folder with an application, and a database in which a worker is alive and nothing waits."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.engine = make_sync_engine(url)
        metadata = MetaData()
        include_tables(metadata)
        Soniq(metadata).create_all(self.engine)
        self.execute(ALIVE)
        self.write_app()

    def write_app(
        self, *, pool_size: int = 200, max_overflow: int = 0, engine: str = ", engine=engine"
    ) -> None:
        """Write ``jobs.py``, which knows the task ``send_invoice``."""
        text = APP.format(pool_size=pool_size, max_overflow=max_overflow, engine=engine)
        (self.folder / "jobs.py").write_text(text)

    def execute(self, *statements: str) -> None:
        """Execute statements of an administrator; ``{database}`` is the name of the database."""
        autocommit = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        with autocommit.connect() as connection:
            for statement in statements:
                text = statement.replace("{database}", self.engine.url.database or "")
                connection.exec_driver_sql(text.replace("%", "%%"))

    def rows(self, statement: str) -> list[Any]:
        """Return what an administrator reads."""
        with self.engine.connect() as connection:
            return list(connection.exec_driver_sql(statement))

    def add_job(self, task: str = "send_invoice", **values: str) -> None:
        """Commit a queued job; the values are SQL."""
        columns = {"id": "gen_random_uuid()", "task": f"'{task}'", **values}
        names, sql = ", ".join(columns), ", ".join(columns.values())
        self.execute(f"INSERT INTO soniq_jobs ({names}) VALUES ({sql})")  # noqa: S608 - ours

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run the command; in a process of its own if it imports the application."""
        run = soniq_sa if "--app" in arguments else soniq_sa_here
        environment = {"SONIQ_SA_DATABASE_URL": self.url, **settings}
        return run(self.folder, "doctor", *arguments, **environment)

    def findings(self, *arguments: str, **settings: str) -> list[Finding]:
        """Return what the command writes for programs."""
        done = self.run("--json", *arguments, **settings)
        document: dict[str, Any] = json.loads(done.stdout)
        bad = any(one["level"] in {"warning", "problem"} for one in document["findings"])
        assert document["ok"] is not bad
        assert done.returncode == (3 if bad else 0), done.stderr
        return list(document["findings"])

    def found(self, check: str, *arguments: str, **settings: str) -> list[Finding]:
        """Return what one check finds."""
        return [one for one in self.findings(*arguments, **settings) if one["check"] == check]

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()


def levels(findings: list[Finding]) -> dict[str, str]:
    """Return the checks at which there is something to do, with the level."""
    return {
        one["check"]: one["level"] for one in findings if one["level"] in {"warning", "problem"}
    }
