"""Where no server can be had, the error says everything that was tried and what to do."""

import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from soniq_sa.localserver import NoServerError, cluster, container, finder, local_server
from soniq_sa.localserver.binaries import complete, find_binaries
from soniq_sa.localserver.embedded import find_embedded
from tests.localserver.processes import python

NOWHERE = """
import os
os.environ["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
from soniq_sa.localserver import NoServerError, finder, local_server
finder.find_binaries = finder.find_embedded = list
try:
    with local_server():
        pass
except NoServerError as error:
    print(error)
"""


def test_every_attempt_and_the_remedies_are_named(tmp_path: Path) -> None:
    with python("-c", NOWHERE, temporary=tmp_path) as process:
        assert process.stdout is not None
        message = process.stdout.read()
    for word in ("binaries", "embedded", "container", "SONIQ_SA_DATABASE_URL", "pip install"):
        assert word in message


def test_a_given_url_is_the_only_thing_tried_and_its_password_stays_secret() -> None:
    url = "postgresql://somebody:secret@127.0.0.1:1/nowhere"
    with pytest.raises(NoServerError, match="cannot connect to") as raised, local_server(url):
        pass
    assert len(raised.value.attempts) == 1
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("url", ["sqlite:///file.db", "not a url"])
def test_a_given_url_of_something_else_is_refused(url: str) -> None:
    with pytest.raises(NoServerError, match="the given URL"), local_server(url):
        pass


def test_a_server_that_cannot_start_says_what_its_log_says() -> None:
    broken = {"max_connections": "many"}
    with (
        pytest.raises(NoServerError, match="invalid value for parameter"),
        local_server(settings=broken, sources=["binaries", "embedded"]),
    ):
        pass


def test_a_port_taken_in_between_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    only = [*find_binaries(), *find_embedded()][:1]  # no other server may step in
    monkeypatch.setattr(finder, "find_binaries", lambda: only)
    free = cluster.free_port
    with socket.create_server(("127.0.0.1", 0)) as busy:
        ports = iter([busy.getsockname()[1], free()])
        monkeypatch.setattr(cluster, "free_port", lambda: next(ports))
        with local_server(tcp=True, sources=["binaries"]) as server:
            assert server.tcp_url is not None
            assert str(busy.getsockname()[1]) not in server.tcp_url
    assert not list(ports)


def test_links_on_path_lead_to_the_folder_behind_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = next(iter(find_binaries()), None)
    if real is None:
        pytest.skip("no server binaries here")
    for name in ("initdb", "pg_ctl", "postgres"):
        (tmp_path / name).symlink_to(real.folder / name)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("soniq_sa.localserver.binaries.SYSTEM_FOLDERS", ())
    assert find_binaries() == [real]


def test_a_folder_without_every_program_or_with_an_old_version_is_left_out(tmp_path: Path) -> None:
    def folder(name: str, version: str, programs: list[str]) -> Path:
        made = tmp_path / name
        made.mkdir()
        for program in programs:
            script = made / program
            script.write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
            script.chmod(0o755)
        return made

    everything = ["initdb", "pg_ctl", "postgres"]
    newest = folder("newest", "19beta1", everything)
    newer = folder("newer", "17.2 (Debian 17.2-1)", everything)
    wrapper = folder("wrapper", "16.1", ["pg_ctl"])
    old = folder("old", "12.9", everything)
    found = complete([old, wrapper, newer, newest, newer])
    assert [(each.version, each.folder) for each in found] == [((19, 0), newest), ((17, 2), newer)]


def test_a_container_is_used_where_an_engine_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The class of testcontainers is replaced: a local server serves what the container would."""
    pytest.importorskip("testcontainers")
    calls: list[str] = []
    with local_server(tcp=True) as real:

        class PostgresContainer:
            def __init__(self, image: str, *, dbname: str, driver: None) -> None:
                calls.append(f"{image} {dbname} {driver}")

            def with_command(self, command: list[str]) -> "PostgresContainer":
                calls.append(" ".join(command))
                return self

            def start(self) -> None:
                calls.append("start")

            def stop(self) -> None:
                calls.append("stop")

            def get_connection_url(self) -> str:
                assert real.tcp_url is not None
                return real.tcp_url

            def get_wrapped_container(self) -> SimpleNamespace:
                return SimpleNamespace(name="some_name")

        monkeypatch.setattr(container, "usable_container", lambda: PostgresContainer)
        with local_server(sources=["container"]) as server:
            assert "container some_name of postgres:" in server.origin
    assert calls[0].endswith("soniq None")
    assert calls[1].startswith("postgres -c max_connections=200")
    assert calls[2:] == ["start", "stop"]
