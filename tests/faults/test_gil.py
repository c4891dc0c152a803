"""A handler that keeps Python's lock: no thread of its worker runs, so another process takes its part."""

import os
import signal
import time

import psutil
import pytest

from soniq_sa.cli.guard.asking import signal_thread
from tests.faults import blockers
from tests.faults.guards import guards_of, until_gone, until_guarded
from tests.process import shop
from tests.process.crew import Crew, assert_exits
from tests.process.test_signals import UNREACHED
from tests.process.yard import LOOP, WorkerProcess, Yard, until

LONG = 90.0
"""Seconds that no test waits."""
SHORTER_LEASE = {"SONIQ_SA_LEASE": "8", "SONIQ_SA_RESCUE_INTERVAL": "0.2"}
PATIENCE = 40.0


@pytest.fixture(autouse=True)
def _blockers(yard: Yard) -> None:
    yard.arguments = ("--app", "tests.faults.blockers:soniq")


def held(
    yard: Yard, task: blockers.Blocker, seconds: float = LONG, **settings: str
) -> WorkerProcess:
    """Start a worker, and have a handler keep its lock for so long; return when that was noticed."""
    worker = yard.worker(**settings)
    yard.until_starts(yard.enqueue(task, seconds))
    worker.until_log(f"{task.name} keeps Python's lock (GIL)")
    return worker


@pytest.mark.timeout(180)
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_for_longer_than_the_lease_it_is_named_and_not_started_again(yard: Yard, loop: str) -> None:
    worker = yard.worker(SONIQ_SA_LOOP=loop)
    handle = yard.enqueue(blockers.deaf, 20)
    yard.until_starts(handle)
    worker.until_log("deaf keeps Python's lock (GIL)")
    assert yard.lines(handle, "end") == []
    assert "in deaf\n    sleep_with_the_lock(seconds)\n" in worker.log
    other = yard.worker(SONIQ_SA_LOOP=loop)
    row = yard.until_state(handle, "done", PATIENCE)
    assert (row.claims, row.crashes, len(yard.starts(handle))) == (1, 0, 1)
    assert "took over" not in other.log
    assert "taken for dead" not in worker.log
    worker.until_log("the event loop runs again, deaf has blocked it for 20.")


@pytest.mark.parametrize(("task", "argument"), [("deaf_sync", 5), ("matching", 25)])
def test_a_thread_and_a_regular_expression_are_named_too(
    yard: Yard, task: str, argument: float
) -> None:
    worker = yard.worker()
    handle = yard.enqueue(getattr(blockers, task), argument)
    worker.until_log(f"{task} keeps Python's lock (GIL)", PATIENCE)
    assert f"in {task}\n" in worker.log
    assert yard.until_state(handle, "done", PATIENCE).claims == 1


@pytest.mark.parametrize(
    ("task", "argument"), [("matching_sync", 25), ("matching", 25), ("deaf", 5)]
)
def test_a_handler_that_waits_in_a_thread_meanwhile_is_not_blamed(
    yard: Yard, task: str, argument: float
) -> None:
    worker = yard.worker()
    gate = yard.gate()
    yard.until_starts(yard.enqueue(blockers.patient, str(gate)))
    handle = yard.enqueue(getattr(blockers, task), argument)
    worker.until_log(f" s: {task} keeps Python's lock (GIL)", PATIENCE)
    gate.touch()
    assert yard.until_state(handle, "done", PATIENCE).claims == 1
    assert "patient" not in worker.log.partition("keeps Python's lock")[2]


@pytest.mark.parametrize("with_worker", [True, False], ids=["both", "the guard alone"])
def test_what_could_not_run_for_a_while_is_not_taken_for_held(
    yard: Yard, *, with_worker: bool
) -> None:
    """As with Ctrl-Z and ``fg``, or in a container that was paused."""
    worker = yard.worker()
    guard = until_guarded(worker.pid)
    handle = yard.enqueue(blockers.attentive, 6)
    yard.until_starts(handle)
    paused = [guard.pid, worker.pid] if with_worker else [guard.pid]
    for pid in paused:
        os.kill(pid, signal.SIGSTOP)
    stopped_at = time.monotonic()
    until(lambda: time.monotonic() - stopped_at > 2.5, "pulses to be missed")
    for pid in paused:
        os.kill(pid, signal.SIGCONT)
    yard.until_state(handle, "done", PATIENCE)
    assert "keeps Python's lock" not in worker.log


def test_a_worker_that_is_killed_meanwhile_is_taken_over_and_its_guard_ends(yard: Yard) -> None:
    worker = held(yard, blockers.deaf)
    guard = until_guarded(worker.pid)
    other = yard.worker()
    worker.signal(signal.SIGKILL)
    until_gone(guard)
    until(lambda: len(yard.lines(what="start")) == 2, "another start")
    assert yard.lines(what="start")[1].process == other.pid


@pytest.mark.timeout(180)
def test_a_worker_that_is_stopped_meanwhile_loses_its_lease(yard: Yard) -> None:
    worker = held(yard, blockers.deaf, **SHORTER_LEASE)
    until(lambda: lease_renewed(yard), "the guard to renew the lease")
    os.kill(worker.pid, signal.SIGSTOP)
    other = yard.worker(**SHORTER_LEASE)
    until(lambda: len(yard.lines(what="start")) == 2, "another start", PATIENCE)
    assert yard.lines(what="start")[1].process == other.pid


@pytest.mark.timeout(180)
def test_it_is_not_kept_for_longer_than_its_task_may_take(yard: Yard) -> None:
    worker = held(yard, blockers.deaf_in_time, **SHORTER_LEASE)
    worker.until_log("more than deaf_in_time may take: its lease is not renewed any more")
    other = yard.worker(**SHORTER_LEASE)
    until(lambda: len(yard.lines(what="start")) == 2, "another start", PATIENCE)
    assert yard.lines(what="start")[1].process == other.pid
    assert worker.popen.poll() is None


@pytest.mark.parametrize("task", [blockers.deaf, blockers.deaf_sync])
def test_a_signal_ends_it_after_the_drain_timeout_and_its_job_starts_elsewhere(
    yard: Yard, task: blockers.Blocker
) -> None:
    worker = held(yard, task, SONIQ_SA_DRAIN_TIMEOUT="1")
    other = yard.worker(SONIQ_SA_POLL_INTERVAL=UNREACHED)
    worker.signal(signal.SIGTERM)
    assert worker.exit_code(PATIENCE) == -signal.SIGKILL
    until(lambda: len(yard.lines(what="start")) == 2, "another start")
    assert yard.lines(what="start")[1].process == other.pid
    (row,) = yard.rows("SELECT * FROM soniq_jobs")
    assert (row.attempts, row.crashes, row.claims) == (0, 0, 2)
    assert len(yard.rows("SELECT * FROM soniq_workers")) == 1


def test_a_second_signal_ends_it_at_once(yard: Yard) -> None:
    worker = held(yard, blockers.deaf, SONIQ_SA_DRAIN_TIMEOUT=UNREACHED)
    worker.signal(signal.SIGTERM)
    worker.signal(signal.SIGINT)
    assert worker.exit_code(PATIENCE) == -signal.SIGKILL
    (row,) = yard.rows("SELECT * FROM soniq_jobs")
    assert (row.state, row.attempts, row.crashes) == ("queued", 0, 0)
    assert yard.rows("SELECT * FROM soniq_workers") == []


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_signal_is_heard_in_a_thread_that_python_does_not_know(yard: Yard, loop: str) -> None:
    settings = {"SONIQ_SA_DRAIN_TIMEOUT": "0", "SONIQ_SA_LOOP": loop}
    worker = held(yard, blockers.deaf_beside_a_thread, **settings)
    thread = int(yard.lines()[-1].what)
    signal_thread(worker.pid, thread, signal.SIGTERM)
    assert worker.exit_code(PATIENCE) == -signal.SIGKILL


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_program_that_waits_for_a_signal_of_its_own_gets_it_and_hides_no_other(
    yard: Yard, loop: str
) -> None:
    worker = yard.worker(SONIQ_SA_DRAIN_TIMEOUT="0", SONIQ_SA_LOOP=loop)
    handle = yard.enqueue(blockers.deaf_after_signal, LONG)
    yard.until_starts(handle)
    worker.signal(signal.SIGUSR1)
    worker.until_log("deaf_after_signal keeps Python's lock (GIL)")
    worker.signal(signal.SIGTERM)
    assert worker.exit_code(PATIENCE) == -signal.SIGKILL


def test_a_guard_ends_with_its_worker_however_that_ends(yard: Yard) -> None:
    stopped, killed = yard.worker(), yard.worker()
    guards = [until_guarded(one.pid) for one in (stopped, killed)]
    stopped.signal(signal.SIGTERM)
    killed.signal(signal.SIGKILL)
    assert stopped.exit_code() == 0
    for guard in guards:
        until_gone(guard)


def test_a_process_that_a_handler_has_forked_keeps_no_guard_alive(yard: Yard) -> None:
    worker = yard.worker()
    guard = until_guarded(worker.pid)
    handle = yard.enqueue(blockers.fork, LONG)
    yard.until_state(handle, "done")
    (forked,) = [one for one in psutil.Process(worker.pid).children() if one.pid != guard.pid]
    worker.signal(signal.SIGKILL)
    try:
        until_gone(guard)
    finally:
        forked.kill()


def test_a_signal_to_a_process_that_a_handler_has_forked_is_none_to_the_worker(yard: Yard) -> None:
    worker = yard.worker(SONIQ_SA_DRAIN_TIMEOUT="0")
    yard.until_state(yard.enqueue(blockers.terminate), "done")
    assert [line.what for line in yard.lines()] == [f"ended by {signal.SIGTERM:d}"]
    handle = yard.enqueue(blockers.deaf, 5)
    yard.until_starts(handle)
    worker.until_log("deaf keeps Python's lock (GIL)")
    assert yard.until_state(handle, "done", PATIENCE).claims == 1
    assert worker.popen.poll() is None


def test_ctrl_c_counts_once_also_with_a_process_that_a_handler_has_forked(yard: Yard) -> None:
    yard.own_groups = True
    worker = yard.worker(SONIQ_SA_DRAIN_TIMEOUT=UNREACHED)
    handle = yard.enqueue(blockers.hold_and_fork, 6)
    worker.until_log("hold_and_fork keeps Python's lock (GIL)")
    os.killpg(worker.pid, signal.SIGINT)
    assert worker.exit_code(PATIENCE) == 0
    assert yard.row(handle).state == "done"


def test_ctrl_c_in_a_terminal_does_not_end_the_guard_before_the_worker(yard: Yard) -> None:
    yard.own_groups = True
    worker = yard.worker(SONIQ_SA_DRAIN_TIMEOUT=UNREACHED)
    guard = until_guarded(worker.pid)
    gate = yard.gate()
    handle = yard.enqueue(blockers.asleep_until, str(gate))
    yard.until_starts(handle)
    os.killpg(worker.pid, signal.SIGINT)
    worker.until_log("worker stops")
    assert guard.is_running()
    gate.touch()
    assert worker.exit_code() == 0
    assert yard.row(handle).state == "done"
    until_gone(guard)
    assert "Traceback" not in worker.log


def test_a_worker_whose_guard_was_killed_says_so_and_works_on(yard: Yard) -> None:
    worker = yard.worker()
    guard = until_guarded(worker.pid)
    guard.kill()
    yard.until_state(yard.enqueue(blockers.asleep, 0), "done")
    worker.until_log(f"the guard process {guard.pid} has ended; this worker goes on without one")
    yard.until_state(yard.enqueue(blockers.asleep, 0), "done")
    assert not psutil.pid_exists(guard.pid), "a zombie"


def test_a_worker_can_do_without_a_guard(yard: Yard) -> None:
    worker = yard.worker(SONIQ_SA_GUARD="false")
    yard.until_state(yard.enqueue(blockers.asleep, 0), "done")
    assert guards_of(worker.pid) == []


def test_each_of_several_processes_has_its_own_guard(yard: Yard) -> None:
    crew = Crew(yard, 2, SONIQ_SA_LOOP=LOOP)
    try:
        guards = [until_guarded(pid) for pid in crew.until_complete()]
        yard.until_state(yard.enqueue(shop.quick), "done")
        crew.supervisor.signal(signal.SIGTERM)
        assert_exits(crew.supervisor)
    finally:
        crew.close()
    for guard in guards:
        until_gone(guard)


def lease_renewed(yard: Yard) -> bool:
    """Tell whether a lease ends later than its worker's own last sign of life has promised."""
    lease = float(SHORTER_LEASE["SONIQ_SA_LEASE"])
    return any(
        (row.expires_at - row.beat_at).total_seconds() > lease + 0.5
        for row in yard.rows("SELECT expires_at, beat_at FROM soniq_workers")
    )
