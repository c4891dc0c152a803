"""A name of a schema, of tables or of roles is quoted wherever it stands, or refused where it is given."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest
from sqlalchemy import Engine, MetaData, create_engine, make_url
from sqlalchemy.orm import sessionmaker
from sqlalchemy.schema import CreateSchema, DropSchema

from soniq_sa import OptionError, Soniq, SoniqSession
from soniq_sa.cli.grants.roles import GrantRole, check_start
from soniq_sa.cli.grants.script import Script
from soniq_sa.localserver import LocalServer
from soniq_sa.localserver.databases import libpq_url
from soniq_sa.models import include_tables
from soniq_sa.models.channel import channel_of
from soniq_sa.models.roles import Models
from soniq_sa.models.sql_names import quoted
from soniq_sa.options import check_queue, check_task_name
from tests.security.names import NAMES, REFUSED


@pytest.fixture(scope="module")
def names_url(server: LocalServer) -> Iterator[str]:
    """Return the URL of one database for all names."""
    yield server.create_database("security_names")
    server.drop_database("security_names")


@pytest.fixture
def engine(names_url: str) -> Iterator[Engine]:
    """Return an engine on a driver that knows percent signs as parameters."""
    made = create_engine(make_url(names_url).set(drivername="postgresql+psycopg"))
    yield made
    made.dispose()


QUOTED = [
    *((name, "trigger") for kind, name in NAMES.items() if kind not in REFUSED),
    *((NAMES[kind], "after_commit") for kind in ("both quotes", "formats", "named parameter")),
]


@pytest.mark.parametrize(("name", "notify"), QUOTED, ids=ascii)
def test_jobs_live_in_tables_of_any_name(
    engine: Engine, names_url: str, name: str, notify: str
) -> None:
    metadata = MetaData()
    include_tables(metadata, schema=name, prefix=name, notify=notify)  # type: ignore[arg-type]
    soniq = Soniq(metadata, database_url=names_url)
    jobs = soniq.models.jobs
    ran: list[str] = []

    @soniq.job(name="note")
    async def note(text: str) -> None:
        ran.append(text)

    with engine.begin() as connection:
        connection.execute(CreateSchema(name))
        soniq.create_all(connection)
    try:
        with psycopg.connect(libpq_url(names_url), autocommit=True) as listener:
            listener.execute(f"LISTEN {quoted(channel_of(jobs))}".encode())
            with sessionmaker(engine, class_=SoniqSession).begin() as session:
                session.enqueue(note.options(delay=0.001), "later")
                session.enqueue(note, "now")
            assert list(listener.notifies(timeout=10, stop_after=1))
        asyncio.run(asyncio.wait_for(soniq.run_worker(run_once=True, handle_signals=False), 30))
        assert sorted(ran) == ["later", "now"]
        with engine.connect() as connection:
            for statement in Script(soniq.models, name).statements(GrantRole):
                connection.exec_driver_sql(statement.replace("%", "%%"))
            connection.rollback()
    finally:
        with engine.begin() as connection:
            connection.execute(DropSchema(name, cascade=True))


@pytest.mark.parametrize("name", [NAMES[one] for one in sorted(REFUSED)], ids=ascii)
def test_a_name_that_postgresql_would_cut_or_not_take_is_refused_at_once(name: str) -> None:
    for option in ("schema", "prefix"):
        with pytest.raises(OptionError, match=option):
            include_tables(MetaData(), **{option: name})
    with pytest.raises(OptionError, match="--role-prefix"):
        check_start(name)


@pytest.mark.parametrize("name", ["", "pg_jobs"])
def test_a_role_has_a_name_that_is_free(name: str) -> None:
    with pytest.raises(OptionError, match="--role-prefix"):
        check_start(name)


PLAIN = [one for one in NAMES.values() if re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", one)]


@pytest.mark.parametrize("name", NAMES.values(), ids=ascii)
def test_queues_and_tasks_have_plain_names(name: str) -> None:
    for check in (check_queue, check_task_name):
        if name in PLAIN:
            assert check(name) == name
        else:
            with pytest.raises(OptionError, match="cannot name a"):
                check(name)


@pytest.mark.parametrize("name", NAMES.values(), ids=ascii)
def test_a_channel_fits_into_what_postgresql_takes(name: str) -> None:
    metadata = MetaData()
    with suppress(OptionError):
        include_tables(metadata, schema=name, prefix=name)
        assert len(channel_of(Models(metadata).jobs).encode()) <= 63
