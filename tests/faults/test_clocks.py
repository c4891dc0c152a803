"""Clocks of workers and producers are wrong, jump, or stand still: PostgreSQL's clock decides (P4).

libfaketime changes what a process is told of the time of day, and on demand of the monotonic clock.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from soniq_sa import JobHandle
from tests.faults import bazaar
from tests.process import shop
from tests.process.yard import ROOT, WorkerProcess, Yard, until

LIBRARIES = sorted(
    str(found)
    for folder in ("lib/*/faketime", "lib/faketime", "local/lib/faketime")
    for found in Path("/usr").glob(f"{folder}/libfaketimeMT.so.1")
)
pytestmark = pytest.mark.skipif(
    not LIBRARIES, reason="libfaketime is not installed (Debian: apt-get install faketime)"
)
DAY = 86_400
LEASE = {"SONIQ_SA_LEASE": "3", "SONIQ_SA_HEARTBEAT": "0.5", "SONIQ_SA_RESCUE_INTERVAL": "0.2"}
TIME_OF_DAY_ONLY = {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}


def fake(seconds: float) -> dict[str, str]:
    """Return the environment of a process whose time of day is wrong."""
    return {"LD_PRELOAD": LIBRARIES[0], "FAKETIME": f"{seconds:+g}", **TIME_OF_DAY_ONLY}


class Offset:
    """A file that says by how many seconds the clocks of a process are wrong from now on."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "offset"
        self.set(0)

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of the process, whose clocks are both changed."""
        return {
            "LD_PRELOAD": LIBRARIES[0],
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
        }

    def set(self, seconds: float) -> None:
        """Have the clocks jump; the file is never half written."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+.3f}\n")
        new.replace(self._file)


@pytest.fixture
def clockwork(yard: Yard) -> Yard:
    """Return a yard whose workers run the tasks of these tests."""
    yard.arguments = ("--app", bazaar.APP)
    return yard


def enqueue_all_kinds(yard: Yard) -> dict[str, JobHandle[Any]]:
    """Commit one job for each thing that has to do with time."""
    ((now,),) = yard.rows("SELECT clock_timestamp()")
    due = {"run_at": now + timedelta(seconds=2)}
    with yard.sessions.begin() as session:
        handles = {
            "delayed": session.enqueue(bazaar.note_time.options(delay=2)),
            "at a time": session.enqueue(bazaar.note_time.options(**due)),
            "snoozed": session.enqueue(bazaar.step, ["snooze", "done"]),
            "retried": session.enqueue(bazaar.step, ["fail", "done"]),
            "in time": session.enqueue(bazaar.note_time.options(expires_in=60)),
            "expired": session.enqueue(bazaar.note_time.options(delay=1, expires_in=0.5)),
            "too long": session.enqueue(bazaar.outlast),
        }
        return {what: JobHandle(one.id, one.name) for what, one in handles.items()}


def assert_in_time(yard: Yard, handles: dict[str, JobHandle[Any]]) -> None:
    """Wait for the ends, and check that nothing began early, or was ended for a wrong reason."""
    expected = {"expired": "expired", "too long": "timed out"}
    for what, handle in handles.items():
        reason = expected.get(what)
        row = yard.until_state(handle, "dead" if reason else "done", 30)
        assert row.reason == reason, what
        assert (row.crashes, row.claims) == (0, 2 if what in {"snoozed", "retried"} else 1), what
        assert row.claimed_at >= row.run_at, what
        assert len(yard.starts(handle)) == (0 if what == "expired" else row.claims), what
    for what in ("delayed", "at a time"):
        row = yard.row(handles[what])
        assert timedelta(seconds=1) < row.run_at - row.created_at < timedelta(seconds=3), what


def assert_kept_its_lease(*workers: WorkerProcess) -> None:
    """Check that nobody was taken for dead."""
    for worker in workers:
        assert worker.popen.poll() is None, worker.log
        for told in ("taken for dead", "took over", "failed, and tries again"):
            assert told not in worker.log


@pytest.mark.parametrize("wrong", [(DAY, -DAY), (600, -600)], ids=["a day", "ten minutes"])
def test_workers_whose_clocks_are_wrong_begin_nothing_early_and_steal_nothing(
    clockwork: Yard, wrong: tuple[int, int]
) -> None:
    """One is ahead and one behind; a job runs at each for several of their leases."""
    yard, gate = clockwork, clockwork.gate()
    workers = [yard.worker(**LEASE, **fake(seconds)) for seconds in wrong]
    held = yard.enqueue_many(shop.wait, 4, gate=str(gate))
    handles = enqueue_all_kinds(yard)
    assert_in_time(yard, handles)
    gate.touch()
    for handle in held:
        assert yard.until_state(handle, "done").claims == 1
    for worker, seconds in zip(workers, wrong, strict=True):
        logged = time.mktime(time.strptime(worker.log[:19], "%Y-%m-%d %H:%M:%S"))
        assert abs(logged - time.time() - seconds) < 300, "the clock was not changed"
    assert_kept_its_lease(*workers)


@pytest.mark.parametrize("wrong", [DAY, -600])
def test_jobs_of_a_producer_whose_clock_is_wrong_begin_when_they_should(
    clockwork: Yard, wrong: int
) -> None:
    yard = clockwork
    worker = yard.worker(**LEASE)
    told = subprocess.run(
        [sys.executable, "-m", "tests.faults.test_clocks", yard.url],
        cwd=ROOT,
        env={**os.environ, **fake(wrong), shop.DIARY: str(yard.diary)},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = json.loads(told.stdout)
    assert abs(said.pop("clock") - time.time() - wrong) < 300, "the clock was not changed"
    handles: dict[str, JobHandle[Any]] = {
        what: JobHandle(UUID(one), what) for what, one in said.items()
    }
    ((now,),) = yard.rows("SELECT clock_timestamp()")
    for handle in handles.values():
        assert abs(yard.row(handle).created_at - now) < timedelta(seconds=60)
    assert_in_time(yard, handles)
    assert_kept_its_lease(worker)


def test_a_clock_that_jumps_while_a_worker_runs_changes_nothing(clockwork: Yard) -> None:
    """A day ahead, a day back, and into the year before, as after a late correction."""
    yard, offset = clockwork, Offset(clockwork.folder)
    worker = yard.worker(**LEASE, **offset.environment, **TIME_OF_DAY_ONLY)
    other = yard.worker(**LEASE)
    gate = yard.gate()
    held = yard.enqueue_many(shop.wait, 4, gate=str(gate))
    for seconds in (DAY, -DAY, -365 * DAY):
        handles = enqueue_all_kinds(yard)
        offset.set(seconds)
        assert_in_time(yard, handles)
    gate.touch()
    for handle in held:
        assert yard.until_state(handle, "done").claims == 1
    assert_kept_its_lease(worker, other)


def test_a_worker_whose_monotonic_clock_stood_still_is_a_zombie_like_others(
    clockwork: Yard,
) -> None:
    """As after a suspended machine: to the worker it is as if no time had passed at all."""
    yard, offset = clockwork, Offset(clockwork.folder)
    asleep = yard.worker(**LEASE, **offset.environment)
    gate = yard.gate()
    handle = yard.enqueue(shop.charge, str(gate))
    assert yard.until_starts(handle).process == asleep.pid
    other = yard.worker(**LEASE)
    began = time.monotonic()
    asleep.signal(signal.SIGSTOP)
    try:
        assert yard.until_starts(handle, 2).process == other.pid
        gate.touch()
        row = yard.until_state(handle, "done")
        offset.set(began - time.monotonic())
    finally:
        asleep.signal(signal.SIGCONT)
    asleep.until_log("taken for dead")
    other.signal(signal.SIGTERM)
    assert other.exit_code() == 0
    for later in yard.enqueue_many(shop.charge, 3):
        yard.until_state(later, "done")
        assert yard.effects(later) == [asleep.pid]
    assert yard.row(handle) == row
    assert yard.effects(handle) == [other.pid]
    assert (row.crashes, row.attempts) == (1, 1)


def test_a_monotonic_clock_that_jumps_an_hour_ahead_ends_no_worker(clockwork: Yard) -> None:
    """Every deadline is over at once, those of statements and of connections too."""
    yard, offset = clockwork, Offset(clockwork.folder)
    worker = yard.worker(**LEASE, **offset.environment)
    yard.until_state(yard.enqueue(shop.charge), "done")
    for hours in (1, 2):
        offset.set(3600 * hours)
        for later in yard.enqueue_many(shop.charge, 3):
            row = yard.until_state(later, "done")
            assert len(yard.effects(later)) == 1
            assert row.attempts == 1
    until(lambda: len(yard.rows("SELECT 1 FROM soniq_workers")) == 1, "one worker")
    assert worker.popen.poll() is None
    assert "failed, and tries again" not in worker.log


def main() -> None:
    """Be a producer whose clock may be wrong: enqueue, and print which jobs."""
    yard = Yard(sys.argv[1], Path(os.environ[shop.DIARY]).parent)
    handles = {what: str(handle.id) for what, handle in enqueue_all_kinds(yard).items()}
    print(json.dumps({"clock": time.time(), **handles}))  # noqa: T201 - what the test reads
    yard.engine.dispose()


if __name__ == "__main__":
    main()
