"""What the page says about storage is what the code asks of PostgreSQL, and what PostgreSQL does."""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, MetaData, text

from docs.src.write import ROOT, blocks
from soniq_sa.engines import make_sync_engine
from soniq_sa.models import include_tables
from soniq_sa.models.roles import Role
from soniq_sa.models.storage import storage_of, storage_text
from soniq_sa.models.table_options import TableOptions
from tests.docs.alembic_shop import CONFIGURE, shop_in
from tests.docs.terminal import Terminal

PAGE = ROOT / "docs" / "storage.md"
SOURCES = ROOT / "docs" / "src" / "storage"
TEXTS = {block.source.name: block.text for block in blocks(PAGE)}
PERSISTENCE = "SELECT relpersistence::text FROM pg_class WHERE oid = 'soniq_{}'::regclass"
OPTIONS = "SELECT reloptions FROM pg_class WHERE oid = 'soniq_jobs'::regclass"
LOCKS = (
    "SELECT mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'soniq_jobs'::regclass"
)
FILE = "SELECT pg_relation_filenode('soniq_jobs')"
PLUGIN = 'autogenerate_plugins=["alembic.autogenerate.*", "soniq_sa"],'


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Return an engine on an empty database."""
    made = make_sync_engine(database_url)
    yield made
    made.dispose()


def metadata_of(name: str) -> MetaData:
    """Return the metadata of one of the page's files."""
    spec = importlib.util.spec_from_file_location(f"storage_{name}", SOURCES / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    metadata: MetaData = module.Base.metadata
    return metadata


def test_the_table_of_the_parameters_is_that_of_the_code() -> None:
    rows = re.findall(
        r"^\| `(soniq_\w+)` \| `(\w+)` \| `(.+?)` \|", PAGE.read_text("utf-8"), re.MULTILINE
    )
    assert rows == [
        (f"soniq_{role}", name, storage_text({name: value}).partition(" = ")[2])
        for role in Role
        for name, value in storage_of(role, TableOptions()).items()
    ]


def test_the_changed_parameters_reach_the_database(engine: Engine) -> None:
    metadata_of("models").create_all(engine)
    with engine.connect() as connection:
        options = connection.execute(text(OPTIONS)).scalar_one()
    assert {"fillfactor=90", "autovacuum_vacuum_threshold=1000"} < set(options)
    assert not [option for option in options if option.startswith("vacuum_truncate")]
    assert "autovacuum_analyze_threshold=10000" in options


def test_volatile_concerns_all_but_the_workers(engine: Engine) -> None:
    metadata_of("volatile").create_all(engine)
    with engine.connect() as connection:
        found = {
            role: connection.execute(text(PERSISTENCE.format(role))).scalar_one() for role in Role
        }
    assert found == {Role.JOB: "u", Role.ATTEMPT: "u", Role.PROGRESS: "u", Role.WORKER: "p"}


def test_a_foreign_key_to_volatile_jobs_is_refused(tmp_path: Path, engine: Engine) -> None:
    shutil.copy(SOURCES / "refused.py", tmp_path)
    url = engine.url.render_as_string(hide_password=False)
    with Terminal(tmp_path, {"DATABASE_URL": url}) as terminal:
        terminal.run(TEXTS["refused.console"])


@pytest.mark.parametrize(
    ("change", "lock", "rewritten"),
    [
        ("SET (fillfactor = 90, vacuum_truncate = true)", "ShareUpdateExclusiveLock", False),
        ("RESET (autovacuum_vacuum_threshold)", "ShareUpdateExclusiveLock", False),
        ("SET UNLOGGED", "AccessExclusiveLock", True),
    ],
)
def test_a_change_takes_the_lock_that_the_page_says(
    engine: Engine,
    change: str,
    lock: str,
    rewritten: bool,  # noqa: FBT001
) -> None:
    metadata = MetaData()
    include_tables(metadata)
    metadata.create_all(engine)
    with engine.connect() as connection:
        before = connection.execute(text(FILE)).scalar_one()
        connection.execute(text(f"ALTER TABLE soniq_jobs {change}"))
        assert lock in connection.execute(text(LOCKS)).scalars().all()
        modes = connection.execute(text(LOCKS)).scalars().all()
        assert ("AccessExclusiveLock" in modes) is rewritten
        assert (connection.execute(text(FILE)).scalar_one() != before) is rewritten


def test_a_migration_brings_the_change_and_takes_it_back(tmp_path: Path, database_url: str) -> None:
    with shop_in(tmp_path, database_url) as shop:
        shop.include_tables()
        shop.replace("migrations/env.py", CONFIGURE, f"{CONFIGURE}{PLUGIN}")
        shop.run("$ alembic revision --autogenerate -m jobs\n…\n$ alembic upgrade head\n…\n")
        shop.replace("models.py", "include_tables(Base.metadata)\n", TEXTS["volatile.py"])
        shop.terminal.run("$ soniq-sa schema check\n…durability…volatile\n…\n")
        shop.run("$ alembic revision --autogenerate -m volatile\n…\n$ alembic upgrade head\n…\n")
        assert "ALTER TABLE soniq_jobs SET UNLOGGED" in shop.migration("volatile")
        shop.run("$ soniq-sa schema check\n…as the application expects.\n")
        shop.run("$ alembic downgrade -1\n…\n")
        with shop.engine.connect() as connection:
            assert connection.execute(text(PERSISTENCE.format("jobs"))).scalar_one() == "p"
