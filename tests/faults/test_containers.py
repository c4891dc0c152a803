"""A container is killed and started again: the same host name, and the same process id 1."""

from __future__ import annotations

import signal
import subprocess
import sys

import psutil
import pytest

from tests.process import shop
from tests.process.yard import SHORT_LEASE, WorkerProcess, Yard, until

UNSHARE = ("unshare", "--pid", "--fork", "--mount-proc", "--uts", "--kill-child")
NAME = "box"


def contained(*command: str) -> tuple[str, ...]:
    """Return a command that runs another as process 1 of a host of its own."""
    return (*UNSHARE, "sh", "-c", f'hostname {NAME} && exec "$@"', "sh", *command)


def refusal() -> str:
    """Return why there can be no containers here; nothing if there can."""
    try:
        tried = subprocess.run(
            contained("true"), check=False, capture_output=True, text=True, timeout=10
        )
    except FileNotFoundError:
        return "there is no program unshare"
    return "" if tried.returncode == 0 else f"unshare is not permitted: {tried.stderr.strip()}"


pytestmark = pytest.mark.skipif(bool(refusal()), reason=refusal() or "there are containers")


def container(yard: Yard, **settings: str) -> WorkerProcess:
    """Start a worker in a container, and wait until it claims."""
    yard.command = contained(sys.executable)
    try:
        return yard.worker(**settings)
    finally:
        yard.command = (sys.executable,)


def kill_inside(worker: WorkerProcess) -> None:
    """Kill what is process 1 in the container, as the kernel does when memory is out."""
    (inside,) = psutil.Process(worker.pid).children()
    inside.send_signal(signal.SIGKILL)
    worker.popen.wait(10)


def names(yard: Yard) -> list[str]:
    """Return the names of the workers in the table."""
    return [row.name for row in yard.rows("SELECT name FROM soniq_workers")]


@pytest.mark.parametrize("settings", [{}, SHORT_LEASE], ids=["default settings", "a short lease"])
def test_a_container_that_was_killed_starts_again_and_has_its_jobs_back(
    yard: Yard, settings: dict[str, str]
) -> None:
    """Twice. Nobody else is there; the row of the killed one is still in the table when it starts."""
    gate = yard.gate()
    handles = yard.enqueue_many(shop.charge, 3, gate=str(gate))
    handles += yard.enqueue_many(shop.wait_sync, 3, gate=str(gate))
    for times in (1, 2):
        worker = container(yard, **settings)
        for handle in handles:
            yard.until_starts(handle, times)
        until(lambda: names(yard) == [f"{NAME}:1"], lambda: f"one worker: {names(yard)}")
        kill_inside(worker)
        assert names(yard) == [f"{NAME}:1"]
    last = container(yard, **settings)
    gate.touch()
    for handle in handles:
        row = yard.until_state(handle, "done", 30)
        assert (row.crashes, row.attempts) == (2, 1)
        assert len(yard.starts(handle)) == 3
    for handle in handles[:3]:
        assert len(yard.effects(handle)) == 1
    assert last.popen.poll() is None
    assert names(yard) == [f"{NAME}:1"]


def test_two_containers_of_the_same_name_are_two_workers(yard: Yard) -> None:
    """Replicas may call themselves alike; the jobs of the one that is killed run at the other."""
    first, second = container(yard), container(yard)
    assert names(yard) == [f"{NAME}:1"] * 2
    gate = yard.gate()
    handles = yard.enqueue_many(shop.wait, 6, gate=str(gate))
    for handle in handles:
        yard.until_starts(handle)
    kill_inside(first)
    gate.touch()
    for handle in handles:
        assert yard.until_state(handle, "done").crashes <= 1
    until(lambda: names(yard) == [f"{NAME}:1"], "the one that is left")
    assert second.popen.poll() is None
