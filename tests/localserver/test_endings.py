"""However a run ends, no server, no process and no folder is left."""

import os
import signal
import subprocess

import psutil
import pytest

from soniq_sa.localserver import local_server
from soniq_sa.localserver.folder import SHORT_FOLDER
from tests.localserver.processes import (
    processes_of,
    python,
    temporary_folder,
    wait_until,
    wait_until_nothing_is_left,
)

RUN = """
import time
from soniq_sa.localserver import local_server
from soniq_sa.localserver.folder import SHORT_FOLDER
with local_server() as server:
    print("ready", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("moment", ["data", "data/postgresql.auto.conf", "data/postmaster.pid"])
def test_a_run_ended_in_the_middle_of_its_start_leaves_nothing(
    ending: signal.Signals, moment: str
) -> None:
    with temporary_folder() as folder, python("-c", RUN, temporary=folder) as process:
        wait_until(lambda: bool(list(folder.glob(f"soniq-sa-*/{moment}"))), moment)
        process.send_signal(ending)
        wait_until_nothing_is_left(folder)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_ended_later_leaves_nothing(ending: signal.Signals) -> None:
    with temporary_folder() as folder, python("-c", RUN, temporary=folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert processes_of(folder)
        os.killpg(process.pid, ending)  # as a terminal does: to every process of the group
        wait_until_nothing_is_left(folder)


OUTLIVE = """
import time
from soniq_sa.localserver import local_server
with local_server() as server:
    try:
        print("ready", flush=True)
        time.sleep(600)
    except KeyboardInterrupt:
        server.create_database("made_after_ctrl_c")
        print("still there", flush=True)
"""


def test_the_server_outlives_ctrl_c_in_the_terminal() -> None:
    with temporary_folder() as folder, python("-c", OUTLIVE, temporary=folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.killpg(process.pid, signal.SIGINT)
        assert process.stdout.readline() == "still there\n"
        wait_until_nothing_is_left(folder)


def test_an_error_in_the_body_ends_a_kept_server() -> None:
    with pytest.raises(ZeroDivisionError), local_server(keep=True) as server:
        raise ZeroDivisionError
    assert server.folder is not None
    assert not server.folder.exists()


def test_a_kept_server_is_removed_by_the_command_it_names() -> None:
    with local_server(keep=True) as server:
        pass
    assert server.pid is not None
    assert server.folder is not None
    assert psutil.pid_exists(server.pid)
    subprocess.run(["/bin/sh", "-c", server.cleanup], check=True)
    assert not server.folder.exists()
    wait_until(lambda: not _runs(server.pid), "the kept server to end")


def _runs(pid: int | None) -> bool:
    """Say whether the process runs; an ended child of this process, whom nobody waits for, does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_the_folder_is_below_the_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    with temporary_folder() as folder:
        monkeypatch.setattr("tempfile.tempdir", str(folder))
        with local_server() as server:
            assert server.folder is not None
            assert server.folder.parent == folder


def test_a_temporary_folder_too_deep_for_a_socket_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with temporary_folder() as folder:
        deep = folder / ("d" * 90)
        deep.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(deep))
        with local_server() as server:
            assert server.folder is not None
            assert server.folder.parent == SHORT_FOLDER
