"""A primary with a streaming standby, made with ``pg_basebackup``."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from soniq_sa.localserver import LocalServer
from soniq_sa.localserver.account import server_account
from soniq_sa.localserver.binaries import find_binaries
from soniq_sa.localserver.cluster import LOOPBACK, free_port
from soniq_sa.localserver.databases import libpq_url
from tests.process.yard import PATIENCE, until


class Standby:
    """A running standby of a server that this process has started.

    url: Its URL, through 127.0.0.1, as that of the primary.
    """

    def __init__(self, primary: LocalServer, programs: Path) -> None:
        assert primary.folder is not None
        assert primary.tcp_url is not None
        self._programs = programs
        self._data = primary.folder / "standby"
        self._account = server_account()
        self.primary_url = primary.tcp_url
        self.primary_pid = primary.pid
        port = free_port()
        self.url = make_url(self.primary_url).set(port=port).render_as_string(hide_password=False)
        source = ["-h", str(primary.folder), "-p", str(make_url(primary.tcp_url).port)]
        options = ["-U", "postgres", "-D", self._data, "-R", "--checkpoint=fast", "--no-sync"]
        copied = self._spawn("pg_basebackup", *source, *options)
        assert copied.wait(60) == 0
        sockets = f"-cunix_socket_directories={self._data}"
        self._server = self._spawn("postgres", "-D", self._data, "-p", str(port), sockets)
        until(lambda: self._state().endswith("ready"), "the standby to be ready", 60)

    @property
    def both_url(self) -> str:
        """Return a URL for whichever of the two is the primary."""
        one, other = (make_url(url) for url in (self.primary_url, self.url))
        hosts = [f"{LOOPBACK}:{one.port}", f"{LOOPBACK}:{other.port}"]
        query = {"host": hosts, "target_session_attrs": "primary"}
        both = other.set(drivername="postgresql+asyncpg", host=None, port=None, query=query)
        return both.render_as_string(hide_password=False)

    def follow_every_commit(self) -> None:
        """Have commits on the primary wait until they have arrived here."""
        with psycopg.connect(libpq_url(self.primary_url), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")
            state = "SELECT sync_state FROM pg_stat_replication"
            until(lambda: connection.execute(state).fetchall() == [("sync",)], "the standby")

    def promote(self) -> None:
        """Make it a primary, and wait until it is."""
        assert self._spawn("pg_ctl", "promote", "-D", self._data).wait(60) == 0

    def kill_primary(self) -> None:
        """Do to the primary what ``pg_ctl stop -m immediate`` does."""
        assert self.primary_pid is not None
        os.kill(self.primary_pid, signal.SIGQUIT)

    def close(self) -> None:
        """Stop it."""
        self._server.send_signal(signal.SIGQUIT)
        self._server.wait(PATIENCE)

    def _state(self) -> str:
        assert self._server.poll() is None, "the standby has ended"
        file = self._data / "postmaster.pid"
        return file.read_text().rstrip() if file.exists() else ""

    def _spawn(self, program: str, *arguments: str | Path) -> subprocess.Popen[bytes]:
        account = self._account
        return subprocess.Popen(
            [self._programs / program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._data.parent,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            start_new_session=True,
        )


@contextmanager
def standby_of(primary: LocalServer) -> Iterator[Standby]:
    """Run a standby of a server; skip where there is no ``pg_basebackup`` of the same version."""
    folders = [one.folder for one in find_binaries() if str(one.folder) in primary.origin]
    folders = folders or [one.folder for one in find_binaries()]
    if not folders or shutil.which("pg_basebackup", path=folders[0]) is None:
        pytest.skip("there is no pg_basebackup beside the programs of the server")
    made = Standby(primary, folders[0])
    try:
        yield made
    finally:
        made.close()
