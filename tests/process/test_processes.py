"""``soniq-sa worker --processes N``: N workers, one process that keeps them running and stops them."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.process import shop
from tests.process.crew import Crew, assert_exits
from tests.process.yard import SHORT_LEASE, Yard, until

UNREACHED = "60"
"""Seconds that no test waits."""

MakeCrew = Callable[..., Crew]


@pytest.fixture
def crew(yard: Yard) -> Iterator[MakeCrew]:
    """Return what starts a supervisor; all of its processes are ended at the end."""
    made = []

    def make(size: int, *arguments: str, **settings: str) -> Crew:
        made.append(Crew(yard, size, *arguments, **{"SONIQ_SA_CONCURRENCY": "2", **settings}))
        return made[-1]

    try:
        yield make
    finally:
        for one in made:
            one.close()


def fill(yard: Yard, crew: Crew, task: Any = shop.wait) -> tuple[Any, list[Any]]:
    """Have a job run in each process; return the gate that they wait for, and the jobs."""
    crew.until_complete()
    gate = yard.gate()
    handles = yard.enqueue_many(task, 10 * crew.size, gate=str(gate))
    until(
        lambda: {line.process for line in yard.lines(what="start")} == crew.members(),
        lambda: f"jobs in all of {crew.members()}:\n{yard.lines()}",
    )
    started = {line.job for line in yard.lines(what="start")}
    return gate, [handle for handle in handles if handle.id in started]


def assert_done(yard: Yard, handles: list[Any]) -> None:
    """Check that jobs have run once, to their end."""
    for handle in handles:
        row = yard.row(handle)
        assert (row.state, row.attempts, row.claims) == ("done", 1, 1)


def test_each_process_is_a_worker_of_its_own_and_all_of_them_run_jobs(
    yard: Yard, crew: MakeCrew
) -> None:
    made = crew(3)
    gate, handles = fill(yard, made)
    assert len(made.registered()) == made.size
    gate.touch()
    for handle in handles:
        yard.until_state(handle, "done")
    for pid in made.members():
        assert re.search(rf" INFO +soniq_sa\[{pid}\]: worker \S+ started: ", made.log), made.log
    assert f"soniq_sa[{made.supervisor.pid}]: starts 3 worker processes" in made.log


def test_a_process_that_is_killed_is_replaced_and_its_job_runs_again(
    yard: Yard, crew: MakeCrew
) -> None:
    made = crew(2, **SHORT_LEASE)
    before = made.until_complete()
    gate = yard.gate()
    handle = yard.enqueue(shop.charge, str(gate))
    first = yard.until_starts(handle)
    os.kill(first.process, signal.SIGKILL)
    second = yard.until_starts(handle, 2)
    assert second.process != first.process
    after = made.until_complete()
    assert first.process not in after
    assert before - {first.process} < after
    gate.touch()
    row = yard.until_state(handle, "done")
    assert (row.crashes, row.claims) == (1, 2)
    assert len(yard.effects(handle)) == 1
    assert f"worker process {first.process} was ended by SIGKILL" in made.log


def test_a_process_that_is_told_to_stop_drains_and_is_replaced(yard: Yard, crew: MakeCrew) -> None:
    made = crew(2)
    gate, handles = fill(yard, made)
    before = made.members()
    chosen = yard.starts(handles[0])[0].process
    for _ in range(3):
        os.kill(chosen, signal.SIGTERM)
    until(lambda: f"[{chosen}]: worker stops" in made.log, "one to drain")
    gate.touch()
    until(lambda: chosen not in made.members(), "one to end")
    assert before - {chosen} < made.until_complete()
    assert_done(yard, handles)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_to_the_supervisor_drains_all(
    yard: Yard, crew: MakeCrew, number: signal.Signals
) -> None:
    made = crew(2, SONIQ_SA_DRAIN_TIMEOUT=UNREACHED)
    gate, handles = fill(yard, made)
    made.supervisor.signal(number)
    made.until_all_log(": worker stops")
    later = yard.enqueue(shop.quick)
    gate.touch()
    assert_exits(made.supervisor)
    made.until_gone()
    assert_done(yard, handles)
    assert yard.row(later).claims == 0
    assert yard.rows("SELECT * FROM soniq_workers") == []
    assert "Traceback" not in made.log


def test_ctrl_c_in_a_terminal_drains_all_once(yard: Yard, crew: MakeCrew) -> None:
    """It reaches every process of the group in the foreground."""
    made = crew(2, SONIQ_SA_DRAIN_TIMEOUT=UNREACHED)
    gate, handles = fill(yard, made)
    os.killpg(made.supervisor.pid, signal.SIGINT)
    made.until_all_log(": worker stops")
    gate.touch()
    assert_exits(made.supervisor)
    assert_done(yard, handles)
    assert "Traceback" not in made.log


def test_a_signal_to_the_supervisor_and_to_each_process_drains_all_once(
    yard: Yard, crew: MakeCrew
) -> None:
    """As systemd sends it to everyone in a unit, and docker stop to a container with one more."""
    made = crew(2, SONIQ_SA_DRAIN_TIMEOUT=UNREACHED)
    gate, handles = fill(yard, made)
    made.signal_everyone(signal.SIGTERM)
    made.supervisor.until_log("stops 2 worker processes")
    made.until_all_log(": worker stops")
    gate.touch()
    assert_exits(made.supervisor)
    assert_done(yard, handles)


@pytest.mark.parametrize("task", [shop.wait, shop.wait_sync])
def test_a_second_signal_gives_everything_back_and_ends_all_at_once(
    yard: Yard, crew: MakeCrew, task: Any
) -> None:
    made = crew(2, SONIQ_SA_DRAIN_TIMEOUT=UNREACHED)
    _, handles = fill(yard, made, task)
    made.supervisor.signal(signal.SIGTERM)
    made.until_all_log(": worker stops")
    made.supervisor.signal(signal.SIGTERM)
    assert_exits(made.supervisor)
    made.until_gone()
    for handle in handles:
        row = yard.row(handle)
        assert (row.state, row.attempts, row.crashes) == ("queued", 0, 0)
    assert yard.rows("SELECT * FROM soniq_workers") == []


def test_the_processes_of_a_killed_supervisor_drain_by_themselves(
    yard: Yard, crew: MakeCrew
) -> None:
    made = crew(2, SONIQ_SA_DRAIN_TIMEOUT=UNREACHED)
    gate, handles = fill(yard, made)
    made.supervisor.signal(signal.SIGKILL)
    made.until_all_log(": worker stops")
    gate.touch()
    made.until_gone()
    assert_done(yard, handles)
    assert yard.rows("SELECT * FROM soniq_workers") == []
    assert "Traceback" not in made.log


def test_processes_that_have_not_started_yet_end_with_their_supervisor(
    yard: Yard, crew: MakeCrew
) -> None:
    made = crew(2)
    until(lambda: bool(made.members()), "the first to be started")
    made.supervisor.signal(signal.SIGKILL)
    made.until_gone()
    assert yard.rows("SELECT * FROM soniq_workers") == []


def test_a_stop_before_the_first_process_is_ready_is_a_clean_end(
    yard: Yard, crew: MakeCrew
) -> None:
    made = crew(2)
    until(lambda: bool(made.members()), "the first to be started")
    made.supervisor.signal(signal.SIGTERM)
    assert_exits(made.supervisor)
    made.until_gone()
    assert yard.rows("SELECT * FROM soniq_workers") == []


def test_a_replacement_that_refuses_to_start_ends_all_with_its_exit_code(
    yard: Yard, crew: MakeCrew
) -> None:
    made = crew(2)
    gate, handles = fill(yard, made)
    yard.rows("ALTER TABLE soniq_progress RENAME TO elsewhere")
    chosen = yard.starts(handles[0])[0].process
    kept = [one for one in handles if yard.starts(one)[0].process != chosen]
    os.kill(chosen, signal.SIGKILL)
    made.supervisor.until_log("error: The database lacks the table")
    made.supervisor.until_log(": worker stops")
    gate.touch()
    assert_exits(made.supervisor, 4)
    made.until_gone()
    assert_done(yard, kept)
    assert made.log.count("error: ") == 1


def test_run_once_ends_with_0_when_no_process_finds_anything_due(
    yard: Yard, crew: MakeCrew
) -> None:
    handles = yard.enqueue_many(shop.charge, 40)
    later = yard.enqueue(shop.quick.options(delay=3600))
    made = crew(2, "--run-once")
    assert_exits(made.supervisor)
    for handle in handles:
        assert yard.row(handle).state == "done"
        assert len(yard.effects(handle)) == 1
    assert yard.row(later).state == "scheduled"
    assert made.log.count(" started: ") == 2
    assert "takes its place" not in made.log
