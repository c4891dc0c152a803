"""A PostgreSQL server that this process starts and stops itself.

The server is a direct child, not started through `pg_ctl start`: its process id is known at once, so that the keeper can
end it whenever this process is killed. It has a session of its own, because Ctrl-C in a terminal must reach this process
alone: the server has to outlive the clean-up of those who are connected to it.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from soniq_sa.localserver.attempts import UnavailableError
from soniq_sa.localserver.binaries import Binaries
from soniq_sa.localserver.folder import RunFolder
from soniq_sa.localserver.interrupt import ctrl_c_waits

SUPERUSER = "postgres"
LOOPBACK = "127.0.0.1"
SOCKET_PORT = 5432
START_TIMEOUT = 60.0
READY_POLL = 0.02
PORT_ATTEMPTS = 10
# A fast stop rolls back and disconnects, an immediate one leaves recovery to the next start, a kill is for the rest.
STOPS = ((signal.SIGINT, 15.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running server. The password is for TCP; whoever may enter the socket's folder needs none."""

    folder: Path
    pid: int
    port: int
    password: str

    def url(self, database: str) -> str:
        """Return the URL of a database, through the Unix socket."""
        # The port is spelled out: PGPORT in the environment would replace a missing one.
        return f"postgresql://{SUPERUSER}@/{database}?host={self.folder}&port={self.port}"

    def tcp_url(self, database: str) -> str:
        """Return the URL of a database, through the loopback interface."""
        return f"postgresql://{SUPERUSER}:{self.password}@{LOOPBACK}:{self.port}/{database}"


@contextmanager
def running_cluster(
    binaries: Binaries, folder: RunFolder, settings: Mapping[str, str], *, tcp: bool, keep: bool
) -> Iterator[Cluster]:
    """Initialise and start a server in `folder`; stop it at the end unless `keep` is set and no error happened."""
    password = secrets.token_urlsafe(16)
    _initialise(binaries, folder, password)
    _configure(folder, settings, tcp=tcp)
    process, port = (_start_on_free_port if tcp else _start)(binaries, folder)
    kept = False
    try:
        yield Cluster(folder.path, process.pid, port, password)
        kept = keep
    finally:
        if kept:
            process.returncode = 0  # handed over: no warning about a child that still runs
        else:
            _stop(process, folder)


def _initialise(binaries: Binaries, folder: RunFolder, password: str) -> None:
    secret = folder.path / "password"
    secret.touch(mode=0o600)
    secret.write_text(password + "\n")
    if folder.account is not None:
        os.chown(secret, folder.account.uid, folder.account.gid)
    process = _spawn(
        folder,
        [
            *(
                binaries.program("initdb"),
                "--no-sync",
                "--encoding=UTF8",
                "--locale=C",
                f"--username={SUPERUSER}",
            ),
            *(
                "--auth-local=trust",
                "--auth-host=scram-sha-256",
                f"--pwfile={secret}",
                f"--pgdata={folder.data}",
            ),
        ],
    )
    try:
        if process.wait(START_TIMEOUT) != 0:
            raise UnavailableError(f"initdb failed: {folder.log_tail()}")
    except subprocess.TimeoutExpired:
        raise UnavailableError(
            f"initdb did not end within {START_TIMEOUT:g} s: {folder.log_tail()}"
        ) from None
    finally:
        _kill_group(process)  # its own children too, when the wait was interrupted
    secret.unlink()


def _configure(folder: RunFolder, settings: Mapping[str, str], *, tcp: bool) -> None:
    """Append to postgresql.conf; of two lines for one setting the last one holds."""
    own = {
        "listen_addresses": LOOPBACK if tcp else "",
        "unix_socket_directories": str(folder.path),
        "unix_socket_permissions": "0700",
    }
    lines = [f"{name} = {_quoted(value)}\n" for name, value in {**settings, **own}.items()]
    with (folder.data / "postgresql.conf").open("a", encoding="utf-8") as configuration:
        configuration.writelines(lines)


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _start_on_free_port(
    binaries: Binaries, folder: RunFolder
) -> tuple[subprocess.Popen[bytes], int]:
    """Start on a port that was free a moment ago, and again on another one where somebody was faster."""
    for attempt in range(1, PORT_ATTEMPTS + 1):
        port = free_port()
        try:
            return _start(binaries, folder, port)
        except UnavailableError:
            taken = "could not create any TCP/IP sockets" in folder.log_tail()
            if not taken or attempt == PORT_ATTEMPTS:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _start(
    binaries: Binaries, folder: RunFolder, port: int = SOCKET_PORT
) -> tuple[subprocess.Popen[bytes], int]:
    command = [binaries.program("postgres"), "-D", str(folder.data), "-p", str(port)]
    with ExitStack() as undo:
        with ctrl_c_waits():
            process = _spawn(folder, command)
            undo.callback(_stop, process, folder)
            # SIGQUIT, not SIGKILL: a killed server leaves backends and shared memory behind.
            folder.keeper.end(process.pid, signal="QUIT")
        _wait_until_ready(process, folder)
        undo.pop_all()
    return process, port


def _spawn(folder: RunFolder, command: Sequence[str]) -> subprocess.Popen[bytes]:
    account = folder.account
    with folder.log.open("ab") as log:
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder.path,
                env={
                    name: value for name, value in os.environ.items() if not name.startswith("PG")
                },
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
        except (OSError, subprocess.SubprocessError) as error:
            user = account.name if account else "this user"
            raise UnavailableError(f"cannot run {command[0]} as {user}: {error}") from error


def _wait_until_ready(process: subprocess.Popen[bytes], folder: RunFolder) -> None:
    """Wait for the last line of postmaster.pid, as `pg_ctl --wait` does."""
    state = folder.data / "postmaster.pid"
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise UnavailableError(f"the server ended while starting: {folder.log_tail()}")
        with suppress(FileNotFoundError):
            if state.read_text().rstrip().endswith("ready"):
                return
        time.sleep(READY_POLL)
    raise UnavailableError(
        f"the server was not ready within {START_TIMEOUT:g} s: {folder.log_tail()}"
    )


def _stop(process: subprocess.Popen[bytes], folder: RunFolder) -> None:
    for stop, patience in STOPS:
        process.send_signal(stop)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
        folder.keeper.forget()
        return


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
