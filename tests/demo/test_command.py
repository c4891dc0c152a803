"""`soniq-sa demo` as a user runs it: a process of its own, real workers, real kills."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from soniq_sa.localserver import LocalServer
from tests.localserver.processes import (
    processes_of,
    python,
    temporary_folder,
    wait_until_nothing_is_left,
)

SMALL = ("--orders", "40")


@contextmanager
def demo(*arguments: str, temporary: Path) -> Iterator[subprocess.Popen[str]]:
    with python("-m", "soniq_sa", "demo", *arguments, temporary=temporary) as process:
        yield process


def check_document(document: dict[str, Any]) -> None:
    """Check what a run with 40 orders must have found."""
    assert document["passed"] is True
    assert document["requests"] == 40
    assert document["rolled_back"] == 8
    assert document["savepoints_rolled_back"] == 4
    assert document["committed_orders"] == document["invoices"] == 32
    assert document["jobs"] == 32 * 3 + 4 + 1200
    assert document["phantom_jobs"] == 0
    assert document["lost_jobs"] == 0
    assert document["duplicated_invoices"] == 0
    assert document["failed_once"] >= 1
    assert document["backlog_jobs"] == 1200
    assert document["jobs_per_second"] > 0
    assert document["pickup_jobs"] > 0
    assert 0 < document["pickup_p50_ms"] <= document["pickup_p99_ms"]
    assert document["taken_over_jobs"] >= 1
    assert 0 < document["takeover_first_seconds"] <= document["takeover_seconds"]
    assert document["takeover_seconds"] < 10  # without its lock the worker's lease would run 15 s


def test_it_passes_says_so_in_json_and_leaves_nothing() -> None:
    with temporary_folder() as folder, demo(*SMALL, "--json", temporary=folder) as process:
        document, progress = process.communicate()
        assert process.returncode == 0, progress
        check_document(json.loads(document))
        for label in ("Database", "Migration", "Workers", "Shop", "Orders", "SIGKILL", "Backlog"):
            assert f"\n{label} " in f"\n{progress}"
        assert f"data in {folder}" in progress
        assert not list(folder.iterdir())
        assert not processes_of(folder)


def test_two_run_at_the_same_time_on_one_given_server(demo_server: LocalServer) -> None:
    given = ("--database-url", demo_server.url, *SMALL)
    with (
        temporary_folder() as folder,
        demo(*given, "--json", temporary=folder) as one,
        demo(*given, "--workers", "1", temporary=folder) as other,
    ):
        document, progress = one.communicate()
        table, complaint = other.communicate()
        assert one.returncode == 0, progress
        assert other.returncode == 0, table + complaint
        check_document(json.loads(document))
        assert re.search(r"lost jobs +0 ", table)
        assert complaint == ""
        wait_until_nothing_is_left(folder)


@pytest.mark.parametrize("moment", ["Database", "Migration", "Workers", "Shop", "SIGKILL"])
def test_ctrl_c_leaves_nothing_and_ends_with_130(moment: str) -> None:
    with temporary_folder() as folder, demo(*SMALL, temporary=folder) as process:
        wait_for_line(process, moment)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        rest, complaint = process.communicate()
        assert process.returncode == 130, rest + complaint
        assert "nothing is left behind" in rest
        assert complaint == ""
        wait_until_nothing_is_left(folder)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_however_the_demo_is_ended(ending: signal.Signals) -> None:
    with temporary_folder() as folder, demo(*SMALL, temporary=folder) as process:
        wait_for_line(process, "SIGKILL")
        process.send_signal(ending)
        process.communicate()
        assert process.returncode == {signal.SIGTERM: 130, signal.SIGKILL: -9}[ending]
        wait_until_nothing_is_left(folder)


def test_what_is_kept_can_be_read_and_removed() -> None:
    with temporary_folder() as folder, demo(*SMALL, "--keep", temporary=folder) as process:
        output, complaint = process.communicate()
        assert process.returncode == 0, output + complaint
        assert len(list(folder.iterdir())) == 2  # data and logs
        cleanup = re.search(r"^Clean up +(.*)$", output, re.MULTILINE)
        assert cleanup is not None
        subprocess.run(["/bin/sh", "-c", cleanup[1]], check=True)
        wait_until_nothing_is_left(folder)


def wait_for_line(process: subprocess.Popen[str], label: str) -> None:
    assert process.stdout is not None
    seen: list[str] = []
    for line in process.stdout:
        seen.append(line)
        if line.startswith(label):
            return
    assert process.stderr is not None
    pytest.fail(f"{label} was not reached: {''.join(seen)}{process.stderr.read()}")
