"""The recipes that keep the job tables out of a project's history."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.src.write import ROOT, blocks
from tests.docs.alembic_shop import CLEAN, CONFIGURE, Shop, shop_in

TEXTS = {block.source.name: block.text for block in blocks(ROOT / "docs" / "own_history.md")}
OURS = {"soniq_attempts", "soniq_jobs", "soniq_progress", "soniq_workers"}
BELOW = "target_metadata = Base.metadata\n"
JOB_ID = "    job_id: Mapped[uuid.UUID | None] = mapped_column(job_fk())\n"


@pytest.fixture
def shop(tmp_path: Path, database_url: str) -> Iterator[Shop]:
    """Return the project with our tables in its models, and without migrations for them."""
    with shop_in(tmp_path, database_url) as made:
        made.include_tables()
        yield made


@pytest.fixture
def branched(shop: Shop) -> Shop:
    """Return the project with a history for our tables alone."""
    ini = (shop.folder / "alembic.ini").read_text("utf-8")
    shop.write("alembic.ini", f"{ini}\n{TEXTS['alembic.ini']}")
    shop.replace("migrations/env.py", BELOW, f"{BELOW}\n{TEXTS['env.py']}")
    shop.replace("migrations/env.py", CONFIGURE, f"{CONFIGURE}**history,")
    return shop


NAMED = """\
    metadata = MetaData(naming_convention={"fk": "fk_%(table_name)s_%(column_0_name)s"})
"""
"""Alembic cannot drop a foreign key that has no name."""


def refer_to_jobs(shop: Shop) -> None:
    """Give the orders a foreign key to the jobs."""
    models = (shop.folder / "models.py").read_text("utf-8")
    assert "include_tables\n" in models
    models = models.replace("import include_tables\n", "import include_tables, job_fk\n", 1)
    head, end, rest = models.partition('ForeignKey("customers.id"))\n')
    shop.write(
        "models.py", f"import uuid\nfrom sqlalchemy import MetaData\n{head}{end}{JOB_ID}{rest}"
    )
    shop.replace("models.py", "    pass\n", NAMED)


def test_a_filter_leaves_the_tables_out(shop: Shop) -> None:
    shop.replace("migrations/env.py", BELOW, f"{BELOW}\n{TEXTS['excluded.py']}")
    plugins = 'autogenerate_plugins=["alembic.autogenerate.*", "soniq_sa"],'
    shop.replace(
        "migrations/env.py", CONFIGURE, f"{CONFIGURE}include_object=include_object, {plugins}"
    )
    shop.run(TEXTS["excluded.console"])
    assert shop.tables() > OURS
    shop.execute("ALTER TABLE soniq_jobs SET (fillfactor = 20)")
    shop.run(CLEAN)


def test_without_the_filter_the_tables_are_in_the_history(shop: Shop) -> None:
    shop.terminal.run("$ alembic check\n…\n…Detected added table 'soniq_jobs'\n…\n")


def test_both_histories_live_beside_each_other(branched: Shop) -> None:
    users = branched.tables()
    branched.run(TEXTS["branch.console"])
    assert branched.tables() == {*users, *OURS, "soniq_alembic_version"}
    assert "soniq_" not in branched.migration("orders")
    assert "orders" not in branched.migration("jobs")
    branched.run(TEXTS["down.console"])
    assert branched.tables() > OURS
    branched.run("$ alembic downgrade base\n…\n")
    assert branched.tables() == {"alembic_version", *OURS, "soniq_alembic_version"}
    branched.run("$ alembic upgrade head\n…\n$ alembic -n jobs downgrade base\n…\n")
    assert branched.tables() == {*users, "soniq_alembic_version"}


def test_the_plugin_works_in_the_branch_and_only_there(branched: Shop) -> None:
    branched.run(TEXTS["branch.console"])
    branched.execute("ALTER TABLE soniq_jobs SET (fillfactor = 20)")
    branched.run(CLEAN)
    branched.terminal.run("$ alembic -n jobs check\n…\n…fillfactor = 20 instead of…\n…\n")


def test_a_foreign_key_to_the_jobs_wants_their_history_first(branched: Shop) -> None:
    refer_to_jobs(branched)
    branched.run('$ alembic -n jobs revision --autogenerate -m "jobs"\n…\n')
    branched.run("$ alembic -n jobs upgrade head\n…\n")
    branched.run('$ alembic revision --autogenerate -m "reference"\n…\n')
    assert "soniq_jobs" in branched.migration("reference")
    branched.run(f"$ alembic upgrade head\n…\n{CLEAN}")
    branched.terminal.run("$ alembic -n jobs downgrade base\n…\n…depend on it\n…\n")
    branched.run("$ alembic downgrade -1\n…\n$ alembic -n jobs downgrade base\n…\n")
    assert not branched.tables() & OURS
    branched.terminal.run('$ alembic upgrade head\n…\n…relation "soniq_jobs" does not exist\n…\n')
