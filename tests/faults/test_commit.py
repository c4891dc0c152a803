"""The moment between the last statement of a handler with a session and the answer to its COMMIT.

Whoever fails then, database effects are there exactly once, and the job's end with them (P3).
"""

from typing import Any

import pytest

from tests.faults.messages import Message
from tests.faults.proxy import Link, Proxy, Verdict
from tests.process import shop
from tests.process.yard import SHORT_LEASE, Yard, until

TASKS = [shop.charge, shop.charge_sync]
FINISH = "UPDATE soniq_jobs"


class AtCommit:
    """Do something at the first COMMIT of a handler, or at its answer; then let all pass."""

    def __init__(self, proxy: Proxy, verdict: Verdict, then: Any = None) -> None:
        self.happened = 0
        self._verdict = verdict
        self._then = then or (lambda: None)
        self._proxy = proxy

    def at_request(self) -> None:
        """Watch for the COMMIT."""
        self._proxy.judge_request = self._request

    def at_answer(self) -> None:
        """Watch for the answer to the COMMIT: the transaction is committed then."""
        self._proxy.judge_answer = self._answer

    def _request(self, link: Link, message: Message) -> Verdict:
        is_commit = message.kind in {"Q", "B"} and message.sql.upper().startswith("COMMIT")
        return self._happen() if is_commit and link.has_executed(FINISH) else Verdict.PASS

    def _answer(self, link: Link, message: Message) -> Verdict:
        is_commit = message.kind == "C" and message.body.startswith(b"COMMIT")
        return self._happen() if is_commit and link.has_executed(FINISH) else Verdict.PASS

    def _happen(self) -> Verdict:
        if self.happened:
            return Verdict.PASS
        self.happened += 1
        self._then()
        return self._verdict


@pytest.mark.parametrize("task", TASKS)
def test_a_worker_killed_before_its_commit_arrives_has_done_nothing(
    yard: Yard, proxy: Proxy, task: Any
) -> None:
    first = yard.worker(url=proxy.url, **SHORT_LEASE)
    moment = AtCommit(proxy, Verdict.RESET, first.kill)
    moment.at_request()
    handle = yard.enqueue(task)
    until(lambda: bool(moment.happened), "the commit")
    assert yard.effects(handle) == []
    second = yard.worker(**SHORT_LEASE)
    row = yard.until_state(handle, "done")
    assert (row.claims, row.crashes, row.attempts) == (2, 1, 1)
    assert yard.effects(handle) == [second.pid]
    assert [line.process for line in yard.starts(handle)] == [first.pid, second.pid]


@pytest.mark.parametrize("task", TASKS)
def test_a_worker_killed_after_its_commit_arrived_has_done_everything(
    yard: Yard, proxy: Proxy, task: Any
) -> None:
    first = yard.worker(url=proxy.url, **SHORT_LEASE)
    moment = AtCommit(proxy, Verdict.RESET, first.kill)
    moment.at_answer()
    handle = yard.enqueue(task)
    until(lambda: bool(moment.happened), "the answer to the commit")
    row = yard.row(handle)
    assert (row.state, row.attempts, row.claims) == ("done", 1, 1)
    yard.worker(**SHORT_LEASE)
    later = yard.enqueue(task)
    yard.until_state(later, "done")
    until(lambda: yard.rows("SELECT count(*) FROM soniq_workers") == [(1,)], "the rescue")
    assert yard.row(handle) == row
    assert yard.effects(handle) == [first.pid]
    assert len(yard.starts(handle)) == 1


@pytest.mark.parametrize("task", TASKS)
def test_a_commit_that_never_arrives_is_made_up_by_a_retry(
    yard: Yard, proxy: Proxy, task: Any
) -> None:
    worker = yard.worker(url=proxy.url, **SHORT_LEASE)
    moment = AtCommit(proxy, Verdict.RESET)
    moment.at_request()
    handle = yard.enqueue(task)
    row = yard.until_state(handle, "done")
    assert moment.happened
    assert row.claims == 2
    assert row.crashes == 0
    assert yard.effects(handle) == [worker.pid]
    assert len(yard.starts(handle)) == 2


@pytest.mark.parametrize("task", TASKS)
def test_a_commit_whose_answer_is_lost_is_not_repeated(yard: Yard, proxy: Proxy, task: Any) -> None:
    worker = yard.worker(url=proxy.url, **SHORT_LEASE)
    moment = AtCommit(proxy, Verdict.RESET)
    moment.at_answer()
    handle = yard.enqueue(task)
    row = yard.until_state(handle, "done")
    for later in yard.enqueue_many(task, 5):
        yard.until_state(later, "done")
    assert moment.happened
    assert yard.row(handle) == row
    assert (row.claims, row.attempts, row.error) == (1, 1, None)
    assert yard.effects(handle) == [worker.pid]
    assert len(yard.starts(handle)) == 1
    assert yard.rows("SELECT * FROM soniq_attempts") == []


def test_a_worker_that_is_cut_off_from_the_database_at_its_commit_changes_nothing_later(
    yard: Yard, proxy: Proxy
) -> None:
    """A partition: it lives, others take over, and it comes back."""
    first = yard.worker(url=proxy.url, **SHORT_LEASE)
    moment = AtCommit(proxy, Verdict.RESET, proxy.cut_everything)
    moment.at_request()
    handle = yard.enqueue(shop.charge)
    until(lambda: bool(moment.happened), "the commit")
    second = yard.worker(**SHORT_LEASE)
    row = yard.until_state(handle, "done")
    proxy.refusing = False
    first.until_log("taken for dead")
    until(lambda: yard.rows("SELECT count(*) FROM soniq_workers") == [(2,)], "both workers")
    assert yard.effects(handle) == [second.pid]
    for later in yard.enqueue_many(shop.charge, 5):
        yard.until_state(later, "done")
    assert yard.row(handle) == row
    assert yard.effects(handle) == [second.pid]
    assert first.popen.poll() is None
