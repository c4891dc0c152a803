"""Workers that were stopped past their lease and go on: whatever they do then changes nothing (P5).

`tests.process.test_pause` has the handlers with a session. In each test here the zombie runs a job
when it is stopped, another worker takes the job over, and the zombie's run ends after it has woken.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from soniq_sa import JobHandle
from tests.faults import bazaar
from tests.faults.messages import Message
from tests.faults.nursery import Nursery, NurseryWorker, nursery_for
from tests.faults.proxy import Link, Proxy, Verdict
from tests.process import shop
from tests.process.yard import SHORT_LEASE, Yard, until


@pytest.fixture
def nursery(yard: Yard) -> Iterator[Nursery]:
    with nursery_for(yard, app=bazaar.APP) as made:
        yield made


class Encounter:
    """A zombie and the worker that takes over from it."""

    def __init__(self, yard: Yard, nursery: Nursery, url: str | None = None) -> None:
        self.yard = yard
        self.gates = [yard.gate(), yard.gate()]
        self.zombie = nursery.worker(url, **SHORT_LEASE).until_started()
        self._nursery = nursery

    def run_at_zombie(self, task: Any, count: int = 1, **named: Any) -> list[JobHandle[Any]]:
        """Enqueue jobs, and wait until the zombie runs them."""
        gates = [str(gate) for gate in self.gates]
        handles = self.yard.enqueue_many(task, count, gates=gates, **named)
        for handle in handles:
            assert self.yard.until_starts(handle).process == self.zombie.pid
        return handles

    @contextmanager
    def stopped(self, handles: list[JobHandle[Any]]) -> Iterator[None]:
        """Stop the zombie, wait until all its jobs run at another worker, and let it go on."""
        self.other = self._nursery.worker(**SHORT_LEASE).until_started()
        self.zombie.signal(signal.SIGSTOP)
        try:
            for handle in handles:
                assert self.yard.until_starts(handle, 2).process == self.other.pid
            yield
        finally:
            self.zombie.signal(signal.SIGCONT)

    def until_learned(self) -> None:
        """Wait until the zombie knows, and is registered anew."""
        until(lambda: "taken for dead" in self.zombie.log, lambda: self.zombie.log)
        until(lambda: self.is_registered(self.zombie), "the zombie to be registered")

    def is_registered(self, worker: NurseryWorker) -> bool:
        """Tell whether a worker is in the table."""
        name = f"%:{worker.pid}"
        return bool(self.yard.rows("SELECT 1 FROM soniq_workers WHERE name LIKE %s", name))

    def assert_goes_on(self, rows: dict[JobHandle[Any], Any]) -> None:
        """Check that the jobs are as they were, and that the zombie does other work."""
        self.other.stop()
        for later in self.yard.enqueue_many(shop.charge, 3):
            assert self.yard.until_state(later, "done").claims == 1
            assert self.yard.effects(later) == [self.zombie.pid]
        for handle, row in rows.items():
            assert self.yard.row(handle) == row
            assert row.crashes == 1
        assert "failed, and tries again" not in self.zombie.log

    def until_ended_at(self, worker: NurseryWorker, handle: JobHandle[Any]) -> None:
        """Wait until a run of a job has ended in a process."""
        until(
            lambda: worker.pid in {line.process for line in self.yard.lines(handle, "end")},
            lambda: f"the end of {handle.name}: {worker.log}",
        )


@pytest.fixture
def encounter(yard: Yard, nursery: Nursery) -> Encounter:
    return Encounter(yard, nursery)


def test_what_a_zombie_has_written_is_rolled_back(encounter: Encounter) -> None:
    """Also in short transactions, and in threads that nobody can cancel."""
    yard = encounter.yard
    tasks = (
        bazaar.hold_in_sync_session,
        bazaar.hold_in_transaction,
        bazaar.hold_in_sync_transaction,
    )
    handles = [handle for task in tasks for handle in encounter.run_at_zombie(task)]
    with encounter.stopped(handles):
        encounter.gates[1].touch()
        rows = {handle: yard.until_state(handle, "done") for handle in handles}
    encounter.until_learned()
    encounter.gates[0].touch()
    until(lambda: not open_transactions(yard), "the zombie's transactions to end")
    encounter.assert_goes_on(rows)
    for handle in handles:
        assert yard.effects(handle) == [encounter.other.pid]


def open_transactions(yard: Yard) -> list[Any]:
    """Return the transactions that are open."""
    return yard.rows(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
        "AND xact_start IS NOT NULL AND pid <> pg_backend_pid()"
    )


def test_what_a_zombie_says_of_its_progress_is_not_kept(encounter: Encounter) -> None:
    yard = encounter.yard
    (handle,) = encounter.run_at_zombie(bazaar.report_when_opened)
    told = "SELECT done, note FROM soniq_progress WHERE job_id = %s"
    until(lambda: yard.rows(told, handle.id) == [(0, "before")], "the zombie's first word")
    with encounter.stopped([handle]):
        until(lambda: yard.rows(told, handle.id) == [(1, "before")], "the other's first word")
        encounter.gates[0].touch()
    encounter.until_ended_at(encounter.zombie, handle)
    encounter.until_learned()
    for later in yard.enqueue_many(bazaar.report_when_opened, 3, gates=[]):
        yard.until_state(later, "done")  # both workers have written progress since
    assert yard.rows(told, handle.id) == [(1, "before")]
    encounter.gates[1].touch()
    row = yard.until_state(handle, "done")
    until(lambda: yard.rows(told, handle.id) == [(101, "after")], "the other's last word")
    encounter.assert_goes_on({handle: row})


def test_no_end_of_a_zombie_counts(encounter: Encounter) -> None:
    """The other's run goes on meanwhile, and its end is what is kept."""
    yard = encounter.yard
    handles = [
        handle
        for task in (bazaar.step, bazaar.step_sync)
        for end in ("result", "fail", "retry", "snooze")
        for handle in encounter.run_at_zombie(task, ends=[end, "done"])
    ]
    with encounter.stopped(handles):
        encounter.gates[0].touch()
    encounter.until_learned()
    for handle in handles[4:]:
        encounter.until_ended_at(encounter.zombie, handle)
    for handle in handles:
        row = yard.row(handle)
        assert (row.state, row.claims, row.attempts, row.error) == ("processing", 2, 0, None)
    encounter.gates[1].touch()
    rows = {handle: yard.until_state(handle, "done") for handle in handles}
    for row in rows.values():
        assert (row.attempts, row.claims, row.result, row.error) == (1, 2, None, None)
    encounter.assert_goes_on(rows)
    assert {row.outcome for row in yard.rows("SELECT outcome FROM soniq_attempts")} == {"crashed"}
    assert {len(yard.starts(handle)) for handle in handles} == {2}


def test_ends_that_a_zombie_still_had_to_write_change_nothing(
    yard: Yard, nursery: Nursery, proxy: Proxy
) -> None:
    """Its handlers had returned, and their ends were on a connection that had fallen silent.

    It writes them again when it wakes, and the network delivers late what it had sent; all while the
    other's runs go on. Only the fence stands in between.
    """
    encounter = Encounter(yard, nursery, proxy.url)
    ends = ("done", "result", "fail", "retry", "snooze")
    handles = [
        handle
        for end in ends
        for handle in encounter.run_at_zombie(bazaar.step, 4, ends=[end, "done"])
    ]
    silent: list[Link] = []
    proxy.judge_request = freeze_at("finished_at=", silent)
    encounter.gates[0].touch()
    until(lambda: bool(silent), "the ends to be on their way")
    with encounter.stopped(handles):
        proxy.judge_request = lambda _link, _message: Verdict.PASS
    encounter.until_learned()
    silent[0].deliver_late()
    until(lambda: silent[0].left_by_client, "the zombie to give the connection up")
    for later in yard.enqueue_many(shop.charge, 10):
        yard.until_state(later, "done")
    for handle in handles:
        row = yard.row(handle)
        assert (row.state, row.claims, row.attempts) == ("processing", 2, 0)
    encounter.gates[1].touch()
    rows = {handle: yard.until_state(handle, "done") for handle in handles}
    assert {row.result for row in rows.values()} == {None}
    encounter.assert_goes_on(rows)
    assert {len(yard.starts(handle)) for handle in handles} == {2}


def freeze_at(part: str, silent: list[Link]) -> Callable[[Link, Message], Verdict]:
    """Return a judge that lets the first connection with a statement fall silent."""

    def judge(link: Link, message: Message) -> Verdict:
        if not silent and message.kind == "B" and part in message.sql:
            silent.append(link)
            return Verdict.FREEZE
        return Verdict.PASS

    return judge
