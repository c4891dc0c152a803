"""The project with which the pages on migrations begin: models, two revisions, and rows."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

from docs.src.write import ROOT
from soniq_sa.engines import make_sync_engine
from tests.docs.terminal import Terminal, commands

SOURCES = ROOT / "docs" / "src" / "existing_project"
_INCLUDED = re.compile(r"^# region include\n.*?^# endregion\n", re.MULTILINE | re.DOTALL)
_MARKS = re.compile(r"^# (end)?region.*\n", re.MULTILINE)
_ENV = """\
from database import engine
from models import Base

url = engine.url.render_as_string(hide_password=False)
config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
target_metadata = Base.metadata
"""
CONFIGURE = "context.configure(\n"
"""Where arguments can be added, in both calls of the stock env.py."""
CLEAN = "$ alembic check\n…\nNo new upgrade operations detected.\n"
_ROWS = (
    "INSERT INTO customers (email) VALUES ('ann@shop.example'), ('bob@shop.example')",
    "INSERT INTO orders (customer_id) SELECT id FROM customers",
)
_TABLES = text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")


class Shop:
    """The folder of the project, a terminal in it, and its database."""

    def __init__(self, folder: Path, terminal: Terminal, engine: Engine) -> None:
        self.folder = folder
        self.terminal = terminal
        self.engine = engine

    def make(self) -> None:
        """Make the project, without soniq-sa."""
        for name in ("database.py", "jobs.py"):
            self.write(name, (SOURCES / name).read_text("utf-8"))
        with contextlib.redirect_stdout(io.StringIO()):
            command.init(Config(str(self.folder / "alembic.ini")), str(self.folder / "migrations"))
        self.replace("alembic.ini", str(self.folder), "%(here)s")
        self.replace("migrations/env.py", "target_metadata = None\n", _ENV)
        for revision in (SOURCES / "migrations" / "versions").glob("*.py"):
            shutil.copy(revision, self.folder / "migrations" / "versions")
        self.write("models.py", self.models)
        self.run("$ alembic upgrade head\n…\n")
        for statement in _ROWS:
            self.execute(statement)

    @property
    def models(self) -> str:
        """Return the text of models.py before soniq-sa."""
        return _INCLUDED.sub("", (SOURCES / "models.py").read_text("utf-8"))

    def include_tables(self) -> None:
        """Do to models.py what "Add to an existing project" says."""
        self.write("models.py", _MARKS.sub("", (SOURCES / "models.py").read_text("utf-8")))

    def run(self, console: str) -> None:
        """Run a console block; each command must write what it says, and succeed."""
        for one in commands(console):
            self.terminal.run(f"$ {one.line}\n{one.output}\n")
            self.terminal.run("$ echo $?\n0\n")

    def write(self, name: str, content: str) -> None:
        """Write a file of the project."""
        (self.folder / name).write_text(content, "utf-8")

    def replace(self, name: str, old: str, new: str) -> None:
        """Replace the places in a file that read ``old``."""
        content = (self.folder / name).read_text("utf-8")
        assert old in content, (name, old)
        self.write(name, content.replace(old, new))

    def migration(self, message: str) -> str:
        """Return the text of the one migration with this message."""
        (file,) = self.folder.glob(f"migrations/*/*_{message}.py")
        return file.read_text("utf-8")

    def execute(self, statement: str) -> None:
        """Execute one statement, and commit."""
        with self.engine.begin() as connection:
            connection.execute(text(statement))

    def count(self, table: str) -> int:
        """Return the number of rows in a table."""
        with self.engine.connect() as connection:
            return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())  # noqa: S608

    def tables(self) -> set[str]:
        """Return the names of the tables in the database."""
        with self.engine.connect() as connection:
            return set(connection.execute(_TABLES).scalars())


@contextlib.contextmanager
def shop_in(folder: Path, database_url: str, **more: str) -> Iterator[Shop]:
    """Make the project in an empty folder."""
    engine = make_sync_engine(database_url)
    url = engine.url.render_as_string(hide_password=False)
    try:
        with Terminal(folder, {"DATABASE_URL": url, **more}) as terminal:
            shop = Shop(folder, terminal, engine)
            shop.make()
            yield shop
    finally:
        engine.dispose()
