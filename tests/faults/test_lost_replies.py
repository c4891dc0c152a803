"""The reply to any message may be lost while the worker lives: jobs end right, effects once (P3, P4).

A colleague of `tests.faults.test_crash_points`, where the worker dies instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from soniq_sa import JobHandle
from tests.faults import bazaar
from tests.faults.messages import Message
from tests.faults.nursery import Nursery, NurseryWorker, nursery_for
from tests.faults.proxy import Link, Proxy, Verdict, proxy_before
from tests.faults.test_crash_points import MOST_MESSAGES
from tests.process import shop
from tests.process.yard import Yard, until

CALM = {
    "SONIQ_SA_LEASE": "600",
    "SONIQ_SA_HEARTBEAT": "300",
    "SONIQ_SA_POLL_INTERVAL": "600",
}
"""What a worker sends is what its jobs make it send."""
ASKING = {"Q", "S", "H"}
"""Messages that the server answers at once: query, sync, flush."""
ANSWERED = {"Q": "Z", "S": "Z", "H": "Tn"}
"""With what the answer to each of them is complete: ready; or a description of rows, or of none."""
FEWEST_MESSAGES = {False: 2, True: 5}
"""From the claim to the end on connections that are warm: these two; with a session's four between."""


@dataclass(frozen=True)
class Life:
    """How many jobs of a task there are, and how the runs of each end."""

    task: Any
    ends: tuple[str, ...] = ("done",)
    jobs: int = 1

    @property
    def in_session(self) -> bool:
        """Tell whether its ends are committed by the handler's own session."""
        return bool(self.task.codec.needs_session)

    def enqueue(self, yard: Yard, queue: str = "default") -> list[JobHandle[Any]]:
        """Commit the jobs."""
        with yard.sessions.begin() as session:
            named = self.task.options(queue=queue)
            return session.enqueue_many(named, [{"ends": list(self.ends)}] * self.jobs)

    def __str__(self) -> str:
        return f"{self.jobs} of {self.task.name}: {', '.join(self.ends)}"


WITHOUT_SESSION = (
    Life(bazaar.step, ("result",)),
    Life(bazaar.step_sync),
    Life(bazaar.step, ("fail", "done")),
    Life(bazaar.step, ("snooze", "done")),
    Life(bazaar.step, jobs=20),
    Life(bazaar.step_once),
)
IN_SESSION = (
    Life(bazaar.step_in_session, ("result",)),
    Life(bazaar.step_in_sync_session),
    Life(bazaar.step_in_session, ("fail", "done")),
    Life(bazaar.step_in_sync_session, ("snooze", "done")),
    Life(bazaar.step_in_session, jobs=2),
    Life(bazaar.step_once_in_session),
)


class LostReply:
    """Lose the reply to the n-th message from now on, which the server has carried out by then.

    The connection is closed then, or no reply comes through on it any more. Remembers which jobs were
    over.
    """

    def __init__(self, proxy: Proxy, after: int, jobs: Jobs, *, silently: bool = False) -> None:
        self.happened = False
        self.said: list[str] = []
        self._after = after
        self._jobs = jobs
        self._silently = silently
        self._link: Link | None = None
        self._end = ""
        proxy.judge_request = self._count
        proxy.judge_answer = self._lose

    @property
    def pending(self) -> bool:
        """Tell whether the message was sent, and its reply is still to be lost."""
        return len(self.said) >= self._after and not self.happened

    def _count(self, link: Link, message: Message) -> Verdict:
        if message.kind in ASKING and self._link is None:
            sql = " ".join("".join(link.sqls[-1:]).split())
            self.said.append(f"{message.kind} of {sql[:60]}…{sql[-60:]}")
            if len(self.said) == self._after:
                self._link, self._end = link, ANSWERED[message.kind]
        return Verdict.PASS

    def _lose(self, link: Link, message: Message) -> Verdict:
        if link is not self._link:
            return Verdict.PASS
        if message.kind in self._end and not self.happened:
            self._jobs.note_over()
            self.happened = True
            return Verdict.LOSE if self._silently else Verdict.RESET
        return Verdict.LOSE


class Jobs:
    """The jobs of one life, and what must be true of them in the end."""

    def __init__(self, yard: Yard, life: Life) -> None:
        self.handles: list[JobHandle[Any]] = []
        self._yard = yard
        self._life = life
        self._over: dict[Any, int] = {}

    @property
    def done(self) -> bool:
        """Tell whether all are done, or gone after that."""
        left = "SELECT 1 FROM soniq_jobs WHERE id = ANY(%s) AND state <> 'done'"
        return not self._yard.rows(left, [one.id for one in self.handles])

    def note_over(self) -> None:
        """Remember how often each job had been started that is over now."""
        present = self._yard.rows("SELECT id, state FROM soniq_jobs")
        open_ones = {row.id for row in present if row.state != "done"}
        for handle in self.handles:
            starts = len(self._yard.starts(handle))
            if starts and handle.id not in open_ones:
                self._over[handle.id] = starts

    def check(self, told: str) -> None:
        """Check ends, effects and starts."""
        life, yard = self._life, self._yard
        runs = len(life.ends)
        for handle in self.handles:
            starts = len(yard.starts(handle))
            assert starts == self._over.get(handle.id, starts), told
            assert runs <= starts <= runs + life.in_session, told
            if life.in_session:
                assert len(yard.effects(handle)) == runs - life.ends.count("fail"), told
        rows = yard.rows(
            "SELECT * FROM soniq_jobs WHERE id = ANY(%s)", [h.id for h in self.handles]
        )
        assert len(rows) == (0 if "once" in life.task.name else life.jobs), told
        for row in rows:
            assert row.result == (bazaar.RESULT if "result" in life.ends else None), told
            assert row.crashes == 0, told


@pytest.fixture
def nursery(yard: Yard) -> Iterator[Nursery]:
    with nursery_for(yard, app=bazaar.APP) as made:
        yield made


@pytest.mark.parametrize("lives", [WITHOUT_SESSION, IN_SESSION], ids=["without", "in session"])
def test_a_connection_may_be_cut_instead_of_any_reply(
    yard: Yard, nursery: Nursery, proxy: Proxy, lives: tuple[Life, ...]
) -> None:
    """One worker lives through all of it, and nobody takes over from it."""
    worker = nursery.worker(proxy.url, **CALM).until_started()
    for life in lives:
        for after in count(1):
            jobs = Jobs(yard, life)
            lost = LostReply(proxy, after, jobs)
            jobs.handles = life.enqueue(yard)
            until(
                lambda jobs=jobs, lost=lost: jobs.done and not lost.pending,  # type: ignore[misc]
                f"{life}, reply {after} lost",
            )
            if not lost.happened:
                assert after > FEWEST_MESSAGES[life.in_session]
                break
            assert after < MOST_MESSAGES
            jobs.check(f"{life}, reply {after} lost: {lost.said[-1]}")
            yard.until_state(yard.enqueue(shop.quick), "done")
    assert_undisturbed(yard, worker)


def assert_undisturbed(yard: Yard, worker: NurseryWorker) -> None:
    """Check that nothing is left, and that the worker has noticed lost connections only."""
    assert yard.rows("SELECT * FROM soniq_jobs WHERE state <> 'done'") == []
    assert yard.rows("SELECT outcome FROM soniq_attempts WHERE outcome <> 'failed'") == []
    assert yard.rows("SELECT name FROM soniq_workers") == [(worker_name(yard, worker),)]
    for told in ("failed, and tries again", "belongs to another worker", "taken for dead"):
        assert told not in worker.log


def worker_name(yard: Yard, worker: NurseryWorker) -> str:
    """Return the name of a worker in the table, which ends with the id of its process."""
    ((name,),) = yard.rows("SELECT name FROM soniq_workers WHERE name LIKE %s", f"%:{worker.pid}")
    return str(name)


SILENT = (
    Life(bazaar.step, ("result",)),
    Life(bazaar.step_in_session),
    Life(bazaar.step_in_sync_session),
)
MESSAGES = {False: 4, True: 11}
"""More than there are on connections that are warm."""


@pytest.mark.parametrize("life", SILENT, ids=str)
def test_a_connection_may_fall_silent_instead_of_any_reply(
    yard: Yard, nursery: Nursery, life: Life
) -> None:
    """A worker for each message, all at the same time: each waits for ten seconds, or its time limit."""
    numbers = range(1, MESSAGES[life.in_session] + 1)
    with ExitStack() as stack:
        trials = [Trial(stack, yard, nursery, life, after) for after in numbers]
        for trial in trials:
            trial.begin()
        for trial in reversed(trials):
            trial.check()
            if trial is trials[-1]:
                assert not trial.lost.happened, "there are more messages than trials"
    assert sum(trial.lost.happened for trial in trials) >= FEWEST_MESSAGES[life.in_session]


class Trial:
    """A worker behind a proxy of its own, with a queue of its own, that loses one reply."""

    def __init__(
        self, stack: ExitStack, yard: Yard, nursery: Nursery, life: Life, after: int
    ) -> None:
        self._yard, self._life = yard, life
        self._queue = f"trial-{after}"
        self._after = after
        self._proxy = stack.enter_context(proxy_before(yard.url))
        worker = nursery.worker(self._proxy.url, **CALM, SONIQ_SA_QUEUES=self._queue)
        stack.callback(worker.kill)
        worker.until_started()
        self._warm_up()
        self.jobs = Jobs(yard, life)

    def _warm_up(self) -> None:
        jobs = Jobs(self._yard, self._life)
        jobs.handles = self._life.enqueue(self._yard, self._queue)
        until(lambda: jobs.done, "the first job")

    def begin(self) -> None:
        """Begin to count messages, and enqueue."""
        self.lost = LostReply(self._proxy, self._after, self.jobs, silently=True)
        self.jobs.handles = self._life.enqueue(self._yard, self._queue)

    def check(self) -> None:
        """Wait for the end, and check it."""
        told = f"{self._life}, no reply to {self._after}: {self.lost.said[-1:]}"
        until(lambda: self.jobs.done and not self.lost.pending, told, 40)
        self.jobs.check(told)
