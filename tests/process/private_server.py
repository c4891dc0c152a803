"""A PostgreSQL server of one test's own, which may be stopped and started."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from soniq_sa.localserver import LocalServer, local_server
from tests.process.yard import make_tables, until


@contextmanager
def private_server_with(**settings: str) -> Iterator[PrivateServer]:
    """Yield a server with the shop's tables, and with settings of its own."""
    with local_server(sources=("binaries", "embedded"), durable=True, settings=settings) as server:
        make_tables(server.url)
        made = PrivateServer(server)
        try:
            yield made
        finally:
            made.close()


class PrivateServer:
    """A server of one test's own, which may be stopped and started."""

    def __init__(self, server: LocalServer) -> None:
        assert server.folder is not None
        assert server.pid is not None
        self.url = server.url
        self.data = server.folder / "data"
        self._pid = server.pid
        self._started: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Tell whether the server's first process is there; one that has ended may not be collected."""
        if self._started is not None:
            return self._started.poll() is None
        try:
            return psutil.Process(self._pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def stop_immediately(self) -> None:
        """Do what ``pg_ctl stop -m immediate`` does."""
        os.kill(self._pid, signal.SIGQUIT)
        until(lambda: not (self.data / "postmaster.pid").exists(), "the server to stop")

    def start(self) -> None:
        """Start the server again as it was started, and wait until it is ready."""
        if self._started is not None:
            self._started.wait(10)
        command = (self.data / "postmaster.opts").read_text().replace('"', "").split()
        owner = self.data.stat()
        account = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
        self._started = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.data,
            start_new_session=True,
            **(account if os.geteuid() == 0 else {}),  # type: ignore[call-overload]
        )
        self._pid = self._started.pid
        state = self.data / "postmaster.pid"
        until(lambda: state.exists() and state.read_text().rstrip().endswith("ready"), "a start")

    def close(self) -> None:
        """Stop what was started here."""
        if self._started is not None:
            self._started.send_signal(signal.SIGQUIT)
            self._started.wait(10)
