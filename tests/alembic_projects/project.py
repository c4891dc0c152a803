"""A project as people have them: Alembic's own env.py with the plugin, and tables from before."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from soniq_sa.engines import make_sync_engine

PLUGIN = 'autogenerate_plugins=["alembic.autogenerate.*", "soniq_sa"],'
CONFIGURE = "context.configure(\n"
BASE = """
import uuid
from sqlalchemy import ForeignKey, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from soniq_sa.models import JobMixin, include_tables, job_fk

class Base(DeclarativeBase):
    metadata = MetaData(naming_convention={"fk": "fk_%(table_name)s_%(column_0_name)s"})
"""
"""Alembic cannot drop a foreign key that has no name, so the projects give them names."""
_ENV = """
import os
from MODULE import METADATA

config.set_main_option("sqlalchemy.url", os.environ["DATABASE_URL"].replace("%", "%%"))
target_metadata = METADATA
"""
_OBJECTS = text("""
    WITH space AS (
      SELECT oid, nspname FROM pg_namespace
      WHERE nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%')
    SELECT concat_ws('.', nspname, relname) FROM pg_class JOIN space ON space.oid = relnamespace
    WHERE relkind IN ('r', 'i', 'S')
    UNION SELECT concat_ws('.', nspname, proname || '()')
    FROM pg_proc JOIN space ON space.oid = pronamespace
    UNION SELECT concat_ws('.', nspname, conname)
    FROM pg_constraint JOIN space ON space.oid = connamespace
""")


class Project:
    """A folder with Alembic in it, and a database."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.engine = make_sync_engine(url)
        shown = self.engine.url.render_as_string(hide_password=False)
        self.environment = {**os.environ, "DATABASE_URL": shown, "PYTHONWARNINGS": "error"}

    def begin(
        self, metadata: str = "Base.metadata", *, module: str = "models", more: str = ""
    ) -> None:
        """Make the folder of the migrations; ``more`` goes into each ``context.configure``."""
        with contextlib.redirect_stdout(io.StringIO()):
            command.init(Config(str(self.folder / "alembic.ini")), str(self.folder / "migrations"))
        imported, _, _ = metadata.strip("[]").partition(".")
        env = _ENV.replace("MODULE", module).replace("METADATA", imported, 1)
        self.replace(
            "migrations/env.py", "target_metadata = None\n", env.replace("METADATA", metadata)
        )
        self.replace("migrations/env.py", CONFIGURE, f"{CONFIGURE}{PLUGIN}{more}")

    def write(self, name: str, content: str) -> None:
        """Write a file."""
        (self.folder / name).write_text(content, "utf-8")

    def replace(self, name: str, old: str, new: str) -> None:
        """Replace the places in a file that read ``old``."""
        content = (self.folder / name).read_text("utf-8")
        assert old in content, (name, old)
        self.write(name, content.replace(old, new))

    def run(self, *command_line: str) -> subprocess.CompletedProcess[str]:
        """Run a module of Python to its end."""
        return subprocess.run(
            [sys.executable, "-m", *command_line],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )

    def succeed(self, *command_line: str) -> str:
        """Run a module of Python, and return what it prints; fail if it fails."""
        done = self.run(*command_line)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def alembic(self, *arguments: str) -> str:
        """Run Alembic, and return what it prints; fail if it fails."""
        return self.succeed("alembic", *arguments)

    def autogenerate(self, message: str, *options: str) -> str:
        """Make a revision; return its text."""
        self.alembic(*options, "revision", "--autogenerate", "-m", message)
        (file,) = self.folder.glob(f"migrations/versions/*_{message}.py")
        return file.read_text("utf-8")

    def migrate(self, message: str) -> str:
        """Make a revision, run it, and see that nothing is left to do; return its text."""
        written = self.autogenerate(message)
        self.alembic("upgrade", "head")
        self.check()
        return written

    def check(self, *options: str) -> None:
        """Fail if the models and the database differ."""
        done = self.run("alembic", *options, "check")
        assert "No new upgrade operations detected" in done.stdout, done.stdout

    def differs(self, *options: str) -> str:
        """Fail if the models and the database do not differ; return what Alembic says."""
        done = self.run("alembic", *options, "check")
        assert "New upgrade operations detected" in done.stdout, done.stdout
        return done.stdout

    def execute(self, *statements: str) -> None:
        """Execute statements in one transaction."""
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def value(self, query: str) -> Any:
        """Return the one value of a query."""
        with self.engine.connect() as connection:
            return connection.execute(text(query)).scalar_one()

    def objects(self) -> set[str]:
        """Return tables, sequences, indexes, functions and constraints, but for Alembic's own."""
        with self.engine.connect() as connection:
            found = connection.execute(_OBJECTS).scalars()
            return {name for name in found if "alembic_version" not in name}
