"""What autogenerate finds beyond two versions of the library, and what it leaves to Alembic."""

from __future__ import annotations

from importlib.util import find_spec

import psycopg
import pytest

from soniq_sa.localserver.databases import libpq_url
from tests.alembic.project import JOB, Project

TABLES = f"{JOB}\ninclude_tables(Base.metadata)"
CLAIM = "ix_soniq_jobs_claim_1"
CHECK = "ck_soniq_jobs_state_1"
OF_ALEMBIC = "alembic.ext.checkconstraint_byname"
BUILD = f"""
    CREATE INDEX CONCURRENTLY {CLAIM} ON soniq_jobs (queue, priority, run_at, id)
    WHERE state = 'queued'
"""


@pytest.fixture
def current(project: Project) -> Project:
    """Return a project whose database is up to date."""
    project.write_models(TABLES)
    project.autogenerate("first")
    project.alembic("upgrade", "head")
    return project


def mend(project: Project) -> str:
    """Let autogenerate find what is wrong, and mend it; return what the migration does."""
    assert "FAILED" in project.failing_alembic("check")
    migration = project.autogenerate("mend")
    project.alembic("upgrade", "head")
    project.check()
    return "\n".join(migration.steps("upgrade"))


def test_an_index_that_a_failed_build_has_left_is_built_again(current: Project) -> None:
    whole = current.objects()
    current.execute(f"DROP INDEX {CLAIM}")
    url = libpq_url(current.url)
    with psycopg.connect(url) as reporting, psycopg.connect(url, autocommit=True) as building:
        reporting.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reporting.execute("SELECT 'a long report'")
        building.execute("SET lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            building.execute(BUILD)
    assert whole != current.objects()
    assert f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {CLAIM}" in mend(current)
    assert current.objects() == whole


def test_a_predicate_that_was_changed_under_its_name_is_found(current: Project) -> None:
    whole = current.objects()
    current.execute(f"DROP INDEX {CLAIM}")
    current.execute(
        f"CREATE INDEX {CLAIM} ON soniq_jobs (queue, priority, run_at, id) WHERE state = 'dead'"
    )
    mend(current)
    assert current.objects() == whole
    current.alembic("downgrade", "-1")
    assert current.objects() != whole


def test_a_check_that_was_changed_by_hand_is_found(current: Project) -> None:
    whole = current.objects()
    current.execute(
        f"ALTER TABLE soniq_jobs DROP CONSTRAINT {CHECK}, "
        f"ADD CONSTRAINT {CHECK} CHECK (state IN ('queued', 'done'))"
    )
    mend(current)
    assert current.objects() == whole


def test_a_check_that_was_dropped_by_hand_is_found(current: Project) -> None:
    whole = current.objects()
    current.execute(f"ALTER TABLE soniq_jobs DROP CONSTRAINT {CHECK}")
    mend(current)
    assert current.objects() == whole


def test_a_check_that_was_never_validated_is_found(current: Project) -> None:
    whole = current.objects()
    current.execute(
        f"ALTER TABLE soniq_jobs DROP CONSTRAINT {CHECK}, "
        f"ADD CONSTRAINT {CHECK} CHECK (state IN "
        "('scheduled', 'queued', 'processing', 'done', 'cancelled', 'dead')) NOT VALID"
    )
    current.environment["PYTHONWARNINGS"] = "default"  # SQLAlchemy stumbles over NOT VALID
    mend(current)
    assert current.objects() == whole


@pytest.mark.skipif(
    find_spec("alembic.ext") is None, reason="this release of Alembic has no such plugin"
)
def test_beside_alembics_own_comparison_of_checks_nothing_is_written_twice(
    project: Project,
) -> None:
    env = project.env.read_text()
    mine = '"alembic.autogenerate.*"'
    assert mine in env
    project.env.write_text(env.replace(mine, f'{mine}, "{OF_ALEMBIC}"'))
    project.write_models(
        "class Job(JobMixin, Base):\n"
        '    size: Mapped[int] = mapped_column(server_default="0")\n'
        '    __table_args__ = (CheckConstraint("size >= 0", name="size_is_positive"),)\n'
        "include_tables(Base.metadata)",
        "naming_convention=CONVENTION",
    )
    project.autogenerate("first")
    project.alembic("upgrade", "head")
    project.check()
    project.install_next_version()
    migration = project.autogenerate("second")
    for direction in ("upgrade", "downgrade"):
        steps = "\n".join(migration.steps(direction))
        assert steps.count("ADD CONSTRAINT") == 1
        assert steps.count("VALIDATE CONSTRAINT") == 1
        assert "create_check_constraint" not in steps
        assert "drop_constraint" not in steps
    project.alembic("upgrade", "head")
    project.check()


def test_indexes_and_checks_of_the_users_own_are_left_to_alembic(current: Project) -> None:
    current.write_models(
        "class Job(JobMixin, Base):\n"
        "    tenant_id: Mapped[int | None] = mapped_column(ForeignKey(Tenant.id), index=True)\n"
        '    __table_args__ = (Index("by_task", "task"),)\n'
        "include_tables(Base.metadata)"
    )
    migration = current.autogenerate("indexes")
    steps = "\n".join(migration.steps("upgrade"))
    assert "op.create_index('by_task'" in steps
    assert "op.create_index(op.f('ix_soniq_jobs_tenant_id')" in steps
    assert "CONCURRENTLY" not in steps
    current.alembic("upgrade", "head")
    current.check()
    current.execute("ALTER TABLE soniq_jobs ADD CONSTRAINT by_hand CHECK (priority > 0)")
    current.check()


def test_without_the_plugin_the_tables_are_made_and_are_clean_for_alembic(
    project: Project,
) -> None:
    env = project.env.read_text()
    assert ', "soniq_sa"]' in env
    project.env.write_text(env.replace(', "soniq_sa"]', "]"))
    project.write_models(TABLES)
    at_first = project.objects()
    project.autogenerate("first")
    project.alembic("upgrade", "head")
    project.check()
    made = project.objects()
    assert any("fillfactor=70" in str(detail) for _, name, detail in made if name == "soniq_jobs")
    project.alembic("downgrade", "base")
    assert project.objects() == at_first


def test_without_the_plugin_a_new_index_takes_its_place_with_a_lock_and_a_new_check_is_not_seen(
    current: Project,
) -> None:
    """So the plugin is asked for in ``env.py``; with it, the rest comes in a later revision."""
    env = current.env.read_text()
    current.env.write_text(env.replace(', "soniq_sa"]', "]"))
    current.install_next_version()
    steps = "\n".join(current.autogenerate("second").steps("upgrade"))
    assert "op.create_index(op.f('ix_soniq_jobs_claim_2')" in steps
    assert "CONCURRENTLY" not in steps
    assert "ck_soniq_jobs" not in steps
    current.alembic("upgrade", "head")
    current.check()
    current.env.write_text(env)
    assert "ADD CONSTRAINT ck_soniq_jobs_state_2" in mend(current)
