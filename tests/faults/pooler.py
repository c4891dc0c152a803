"""PgBouncer in transaction mode, in front of a test's database.

It lends few connections of the server's to many clients, one transaction at a time, so that whatever
relies on a session meets the session of somebody else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

from soniq_sa.localserver.account import server_account
from soniq_sa.localserver.cluster import LOOPBACK, free_port
from tests.process.yard import PATIENCE, until

_PLACES = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
_CONFIGURATION = """\
[databases]
* = {server}

[pgbouncer]
listen_addr = {address}
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 500
logfile = {folder}/log
"""


class Pooler:
    """A running PgBouncer.

    url: The URL of the database through it.
    """

    def __init__(self, program: str, folder: Path, server: URL, size: int) -> None:
        self._program = program
        self._folder = folder
        self._account = server_account()
        port = free_port()
        self.url = (
            server.set(host=LOOPBACK, port=port, query={})
            .update_query_dict({"sslmode": "disable"})
            .render_as_string(hide_password=False)
        )
        self._write("users", f'"{server.username}" "{server.password or ""}"\n')
        self._write(
            "ini",
            _CONFIGURATION.format(
                server=_server(server), address=LOOPBACK, port=port, folder=folder, size=size
            ),
        )
        if self._account is not None:  # PgBouncer refuses to run as root
            os.chown(folder, self._account.uid, self._account.gid)
        self._popen = self._start()

    @property
    def log(self) -> str:
        """Return what it has logged."""
        log = self._folder / "log"
        return log.read_text(errors="replace") if log.exists() else ""

    def restart(self) -> None:
        """End it with all connections of its clients, and start it again."""
        self.stop()
        self._popen = self._start()

    def stop(self) -> None:
        """End it with all connections of its clients."""
        self._popen.terminate()
        self._popen.wait(PATIENCE)

    def _start(self) -> subprocess.Popen[bytes]:
        account = self._account
        before = self.log.count("process up")
        popen = subprocess.Popen(
            [self._program, "--quiet", str(self._folder / "ini")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            start_new_session=True,
        )
        until(
            lambda: self.log.count("process up") > before or popen.poll() is not None,
            lambda: f"PgBouncer to start:\n{self.log}",
        )
        assert popen.poll() is None, self.log
        return popen

    def _write(self, name: str, text: str) -> None:
        path = self._folder / name
        path.write_text(text)
        if self._account is not None:
            os.chown(path, self._account.uid, self._account.gid)


@contextmanager
def pooler_before(server_url: str | URL, *, size: int = 2) -> Iterator[Pooler]:
    """Run PgBouncer before a database, with ``size`` connections to the server; skip without it."""
    program = shutil.which("pgbouncer", path=_PLACES)
    if program is None:
        pytest.skip(
            "PgBouncer is not installed: no program pgbouncer (Debian: apt install pgbouncer)"
        )
    folder = Path(tempfile.mkdtemp(prefix="soniq-pgbouncer-"))
    try:
        made = Pooler(program, folder, make_url(server_url), size)
        try:
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder)


def _server(url: URL) -> str:
    """Return how PgBouncer reaches the server."""
    host = url.query.get("host") or url.host or LOOPBACK
    port = url.query.get("port") or url.port or 5432
    password = f" password='{url.password}'" if url.password else ""
    return f"host={host} port={port} user={url.username}{password}"
