"""A folder with models and Alembic in it, worked on through Alembic's own command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sqlalchemy import text

from soniq_sa.engines import make_sync_engine

TEMPLATES = Path(__file__).parents[2] / "alembic_templates"

NAMED_OBJECTS = text("""
    SELECT kind || ' ' || name FROM (
        SELECT 'relation' AS kind, oid, relname AS name, relnamespace AS namespace FROM pg_class
        UNION ALL SELECT 'function', oid, proname, pronamespace FROM pg_proc
        UNION ALL SELECT 'type', oid, typname, typnamespace FROM pg_type
    ) AS object JOIN pg_namespace ON pg_namespace.oid = namespace
    WHERE nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%' AND name NOT LIKE '%alembic_version%'
""")


class Project:
    """A folder, and the database that ``DATABASE_URL`` names there."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.engine = make_sync_engine(url)
        self.environment = {**os.environ, "DATABASE_URL": url, "PYTHONWARNINGS": "default"}

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run Alembic to its end."""
        return subprocess.run(
            [sys.executable, "-m", "alembic", *arguments],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def alembic(self, *arguments: str, **environment: str) -> str:
        """Run Alembic, and return what it prints; fail if it fails."""
        done = self.run(*arguments, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refusal(self, *arguments: str, **environment: str) -> str:
        """Run Alembic with something wrong; return what it says, which is no traceback."""
        done = self.run(*arguments, **environment)
        assert done.returncode != 0, done.stdout
        assert "FAILED: " in done.stdout, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    def execute(self, statement: str) -> None:
        """Execute one statement, and commit."""
        with self.engine.begin() as connection:
            connection.execute(text(statement))

    def objects(self) -> set[str]:
        """Return the relations, functions and types of all schemas, without Alembic's own."""
        with self.engine.connect() as connection:
            return set(connection.execute(NAMED_OBJECTS).scalars())

    def migration(self, message: str) -> str:
        """Return the text of the migration with this message."""
        (file,) = self.folder.glob(f"*/versions/*_{message}.py")
        return file.read_text()
