"""From an empty database through two versions of the library and back, by Alembic's command line."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest

from tests.alembic.project import JOB, Migration, Project


@dataclass(frozen=True)
class Variant:
    """A kind of project."""

    template: str
    schema: str | None
    convention: bool
    prefix: str
    notify: str

    @property
    def metadata(self) -> str:
        """Return the arguments of ``MetaData``."""
        arguments = ["naming_convention=CONVENTION"] * self.convention
        if self.schema and not self.is_prefixed:
            arguments.append(f"schema={self.schema!r}")
        return ", ".join(arguments)

    @property
    def tables(self) -> str:
        """Return the end of the module with the models."""
        if not self.is_prefixed:
            return f"{JOB}\ninclude_tables(Base.metadata, notify={self.notify!r})"
        return (
            f"include_tables(Base.metadata, schema={self.schema!r}, "
            f"prefix={self.prefix!r}, notify={self.notify!r})"
        )

    @property
    def is_prefixed(self) -> bool:
        """Tell whether the tables have other names."""
        return self.prefix != "soniq_"

    def __str__(self) -> str:
        convention = "convention" if self.convention else "plain"
        return f"{self.template}-{self.schema}-{convention}-{self.prefix}-{self.notify}"


VARIANTS = [
    Variant(
        ("sync", "async")[is_async],
        (None, "app")[in_schema],
        bool(convention),
        ("soniq_", "work_")[(in_schema + convention) % 2],
        ("after_commit", "trigger")[(in_schema + is_async) % 2],
    )
    for is_async, in_schema, convention in product((0, 1), repeat=3)
]


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_a_project_goes_through_two_versions_and_back_to_nothing(
    variant: Variant, database: str, tmp_path: Path
) -> None:
    project = Project(tmp_path, database, variant.template)
    project.write_models(variant.tables, variant.metadata)
    at_first = project.objects()
    first = go_up(project, "first")
    this = project.objects()
    project.install_next_version()
    second = go_up(project, "second")
    following = project.objects()
    assert_brings_everything(second, variant)
    assert first.packages | second.packages <= {"collections", "alembic", "sqlalchemy"}
    project.alembic("downgrade", "-1")
    assert project.objects() == this
    project.alembic("downgrade", "base")
    assert project.objects() == at_first
    project.execute("DROP TABLE alembic_version")  # a script for an empty database makes it
    project.execute_script(project.alembic("upgrade", "head", "--sql"))
    project.check()
    assert project.objects() == following
    project.execute_script(project.alembic("downgrade", f"{second.revision}:base", "--sql"))
    assert project.objects() == at_first
    project.alembic("upgrade", "head")
    assert project.objects() == following


def go_up(project: Project, message: str) -> Migration:
    """Bring the database to the models with one migration, and see that it is enough."""
    made = project.autogenerate(message)
    project.alembic("upgrade", "head")
    project.check()
    nothing = project.autogenerate("nothing")
    assert nothing.is_empty, nothing.text
    nothing.delete()
    return made


def assert_brings_everything(migration: Migration, variant: Variant) -> None:
    """Check that the migration to the next version does each thing once, and takes each back."""
    jobs = f"{variant.prefix}jobs"
    words = [
        f"ADD CONSTRAINT ck_{jobs}_state_2",
        f"VALIDATE CONSTRAINT ck_{jobs}_state_2",
        f"DROP CONSTRAINT IF EXISTS ck_{jobs}_state_1",
        f"CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_{jobs}_claim_2",
        f"ix_{jobs}_claim_1",
    ]
    for word in words:
        assert sum(word in step for step in migration.steps("upgrade")) == 1, word
    for word in words:
        opposite = word.replace("_2", "_3").replace("_1", "_2").replace("_3", "_1")
        assert sum(opposite in step for step in migration.steps("downgrade")) == 1, opposite
    added = [step for step in migration.steps("upgrade") if "add_column" in step]
    assert len(added) == 1
    bodies = [step for step in migration.steps("upgrade") if "FUNCTION" in step]
    assert len(bodies) == (variant.notify == "trigger")
    assert len(migration.steps("upgrade")) == len(migration.steps("downgrade"))
