"""A project with Alembic in it, made and used through Alembic's own command line."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg

from soniq_sa.localserver.databases import libpq_url
from tests.alembic.switch import SWITCH

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "alembic_templates"
LOCK_TIMEOUT = "op.execute(\"SET lock_timeout = '500ms'\")"
ALEMBIC = [sys.executable, "-m", "alembic"]

MODELS = f"""
import os
from sqlalchemy import CheckConstraint, ForeignKey, Index, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

if os.environ.get({SWITCH!r}):
    import next_version

from soniq_sa.models import JobMixin, include_tables

CONVENTION = {{
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(column_0_label)s",
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
}}

class Base(DeclarativeBase):
    metadata = MetaData(METADATA)

class Tenant(Base):
    __tablename__ = "tenants"
    id: Mapped[int] = mapped_column(primary_key=True)
"""

JOB = """
class Job(JobMixin, Base):
    tenant_id: Mapped[int | None] = mapped_column(ForeignKey(Tenant.id))
"""

OBJECTS = """
    WITH space AS (SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'app'))
    SELECT 'relation', relname, concat_ws(' ', relkind, relpersistence, reloptions)
    FROM pg_class JOIN space ON space.oid = relnamespace
    UNION SELECT 'column', relname, concat_ws(' ', attname, atttypid::regtype, attnotnull)
    FROM pg_class JOIN space ON space.oid = relnamespace JOIN pg_attribute ON attrelid = pg_class.oid
    WHERE attnum > 0 AND NOT attisdropped
    UNION SELECT 'index', relname, pg_get_indexdef(indexrelid) || indisvalid
    FROM pg_class JOIN space ON space.oid = relnamespace JOIN pg_index ON indexrelid = pg_class.oid
    UNION SELECT 'constraint', conname, pg_get_constraintdef(c.oid)
    FROM pg_constraint c JOIN space ON space.oid = connamespace
    UNION SELECT 'function', proname, regexp_replace(prosrc, '\\s+', ' ', 'g')
    FROM pg_proc JOIN space ON space.oid = pronamespace
    UNION SELECT 'trigger', tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION SELECT 'type', typname, NULL FROM pg_type JOIN space ON space.oid = typnamespace
"""
OF_ALEMBIC = ("alembic_version", "_alembic_version", "alembic_version_pkc")


class Project:
    """A folder with models, migrations and ``alembic.ini``."""

    def __init__(self, folder: Path, url: str, template: str = "sync") -> None:
        self.folder = folder
        self.url = url
        clean = {name: one for name, one in os.environ.items() if not name.startswith("SONIQ_SA_")}
        self.environment = {
            **clean,
            "DATABASE_URL": url,
            "PYTHONPATH": os.pathsep.join(
                [*filter(None, [os.environ.get("PYTHONPATH")]), str(ROOT)]
            ),
            "PYTHONWARNINGS": "error",
        }
        self.alembic("init", "-t", str(TEMPLATES / template), "migrations")
        shutil.copy(Path(__file__).with_name("next_version.py"), folder)
        self.env = folder / "migrations" / "env.py"

    def write_models(self, tables: str, metadata: str = "") -> None:
        """Write the module with the models; ``tables`` ends it."""
        text = MODELS.replace("METADATA", metadata)
        (self.folder / "models.py").write_text(f"{text}\n{tables}\n")

    def install_next_version(self) -> None:
        """Let everything from now on see the next version of the library."""
        self.environment[SWITCH] = "1"

    def install_this_version(self) -> None:
        """Let everything from now on see this version of the library."""
        self.environment.pop(SWITCH, None)

    def alembic(self, *arguments: str) -> str:
        """Run Alembic, and return what it prints on its standard output."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def failing_alembic(self, *arguments: str) -> str:
        """Run Alembic, which must fail, and return what it prints."""
        done = self.run(*arguments)
        assert done.returncode != 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Alembic to its end."""
        return subprocess.run(
            [*ALEMBIC, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def autogenerate(self, message: str) -> Migration:
        """Make a revision, and return it."""
        before = set(self._files())
        self.alembic("revision", "--autogenerate", "-m", message)
        (new,) = set(self._files()) - before
        return Migration(new)

    def check(self) -> None:
        """Fail if the models and the database differ."""
        assert "No new upgrade operations detected" in self.alembic("check")

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        """Execute one statement in a transaction of its own."""
        with psycopg.connect(libpq_url(self.url), autocommit=True) as connection:
            cursor = connection.execute(statement)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def execute_script(self, script: str) -> None:
        """Execute what ``--sql`` has printed, statement by statement, as psql does."""
        with psycopg.connect(libpq_url(self.url), autocommit=True) as connection:
            for statement in re.split(r";\n\n", script):
                if not re.fullmatch(r"(\s|--.*)*", statement):
                    connection.execute(statement)  # type: ignore[call-overload]

    def objects(self) -> set[tuple[object, ...]]:
        """Return all that is in the database, with definitions, but for Alembic's own."""
        return {row for row in self.execute(OBJECTS) if row[1] not in OF_ALEMBIC}

    def _files(self) -> Iterator[Path]:
        return (self.folder / "migrations" / "versions").glob("*.py")


class Migration:
    """A file that Alembic has written."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.text = file.read_text()
        self._tree = ast.parse(self.text)

    @property
    def revision(self) -> str:
        """Return the id of the revision."""
        return self.file.name.partition("_")[0]

    @property
    def packages(self) -> set[str]:
        """Return the packages that it imports."""
        names = set[str]()
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(str(node.module).partition(".")[0])
        return names

    @property
    def is_empty(self) -> bool:
        """Tell whether it does nothing."""
        return self.steps("upgrade") == self.steps("downgrade") == ["pass"]

    def steps(self, direction: str) -> list[str]:
        """Return the statements of one of its functions, those in a block one by one."""
        (function,) = [
            node
            for node in self._tree.body
            if isinstance(node, ast.FunctionDef) and node.name == direction
        ]
        found = list[str]()
        for node in function.body:
            inner = node.body if isinstance(node, ast.With) else [node]
            found += [ast.unparse(one) for one in inner]
        return found

    def begin_with(self, line: str) -> None:
        """Write a line on top of the upgrade."""
        head = "def upgrade() -> None:\n"
        assert head in self.text
        self.text = self.text.replace(head, f"{head}    {line}\n")
        self.file.write_text(self.text)

    def delete(self) -> None:
        """Delete the file."""
        self.file.unlink()
