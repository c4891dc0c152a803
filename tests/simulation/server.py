"""The server: sessions, their transactions and locks, and what is said on channels."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from asyncpg.exceptions import LockNotAvailableError, QueryCanceledError

from soniq_sa.runtime.handler import COMMIT_WITHIN
from tests.simulation.catalogue import Catalogue, Known
from tests.simulation.semantics import Semantics
from tests.simulation.tables import Job, Locked, Tables, Transaction

Answer = Callable[[Any], None]
"""Is given rows, or an error."""

_SETTLED: dict[str, list[tuple[Any, ...]]] = {
    "missing_columns": [],
    "in_recovery": [(False,)],
    "ping": [(1,)],
}
"""Statements whose answer is always the same."""


class Client(Protocol):
    """Who a session talks to."""

    def hear(self, channel: str, payload: str) -> None:
        """Hear what was said on a channel."""

    def break_off(self) -> None:
        """Learn that the connection is closed."""


@dataclass(eq=False)
class Request:
    """A statement that is asked for; it may have to wait for a lock, until it is over or cut."""

    backend: Backend
    text: str
    values: tuple[Any, ...]
    answer: Answer
    waits: bool = False
    over: bool = False


@dataclass(eq=False)
class Backend:
    """One session."""

    pid: int
    client: Client
    durable: bool = True
    transaction: Transaction | None = None
    channels: set[str] = field(default_factory=set)
    keys: set[int] = field(default_factory=set)
    limits: dict[str, float] = field(default_factory=dict)
    gone: bool = False
    crashed: bool = False


class Server:
    """A PostgreSQL with our tables; ``now`` tells its time."""

    def __init__(
        self,
        semantics: Semantics,
        known: Catalogue,
        now: Callable[[], float],
        tell: Callable[[str], None],
    ) -> None:
        self.tables = Tables()
        self.up = True
        self.backends: dict[int, Backend] = {}
        self.later: Callable[..., None]
        self.undone: Callable[[dict[UUID, Job]], None] = lambda _: None
        self._semantics = semantics
        self._known = known
        self._now = now
        self._tell = tell
        self._pids = 0
        self._unflushed: list[dict[UUID, Job]] = []

    def connect(self, client: Client, name: str) -> Backend:
        """Begin a session."""
        self._pids += 1
        self._tell(f"{self._pids} connected: {name}")
        backend = self.backends[self._pids] = Backend(self._pids, client)
        return backend

    def execute(self, backend: Backend, text: str, values: tuple[Any, ...], answer: Answer) -> None:
        """Run one statement, now or when it has the locks that it needs."""
        if not backend.gone:
            self._execute(Request(backend, text, values, answer))

    def _execute(self, request: Request) -> None:
        """Run it; if it had to wait outside a transaction, then also if its client has left."""
        backend, inside = request.backend, request.backend.transaction
        left = backend.gone and not (request.waits and inside is None)
        if request.over or backend.crashed or left:
            return
        known = self._known[request.text]
        transaction = inside or Transaction(self.tables, durable=backend.durable)
        transaction.now = self._now()
        try:
            rows = self._run(backend, transaction, known, request.values)
        except Locked as locked:
            locked.holder.ends.append(lambda: self._execute(request))
            self._limit(request)
            return
        request.over = True
        if inside is None:
            self._commit(transaction)
        elif known.commits:
            self.later(self._end_silent, backend, transaction, delay=COMMIT_WITHIN)
        self._tell(f"{backend.pid} {known.name} {len(rows)}")
        request.answer(rows)

    def _limit(self, request: Request) -> None:
        """Have a statement that waits cut in time; inside a transaction the application's has no limit."""
        backend = request.backend
        limits = [(seconds, name) for name, seconds in backend.limits.items() if seconds]
        if not request.waits and backend.transaction is None and limits:
            seconds, name = min(limits)
            self.later(self._cut, request, name, delay=seconds)
        request.waits = True

    def _cut(self, request: Request, limit: str) -> None:
        if request.over or request.backend.crashed:
            return
        request.over = True
        self._tell(f"{request.backend.pid} cut by {limit}")
        error = LockNotAvailableError if limit == "lock_timeout" else QueryCanceledError
        request.answer(error(f"canceling statement due to {limit}"))

    def _end_silent(self, backend: Backend, transaction: Transaction) -> None:
        """End a session that was to commit, and has said nothing for too long."""
        if backend.transaction is transaction and not backend.gone:
            self.close(backend)
            backend.client.break_off()

    def begin(self, backend: Backend, answer: Answer) -> None:
        """Begin a transaction."""
        if not backend.gone:
            backend.transaction = Transaction(self.tables, now=self._now())
            answer([])

    def end(self, backend: Backend, answer: Answer, *, commit: bool) -> None:
        """End the transaction."""
        if backend.gone:
            return
        transaction, backend.transaction = backend.transaction, None
        if transaction is not None:
            if commit:
                self._commit(transaction)
            else:
                transaction.end()
        self._tell(f"{backend.pid} {'COMMIT' if commit else 'ROLLBACK'}")
        answer([])

    def listen(self, backend: Backend, channel: str, answer: Answer) -> None:
        """Begin to listen on a channel."""
        if not backend.gone:
            backend.channels.add(channel)
            answer([])

    def close(self, backend: Backend) -> None:
        """End a session: its transaction is rolled back, its locks are free."""
        if backend.gone:
            return
        backend.gone = True
        self._tell(f"{backend.pid} closed")
        del self.backends[backend.pid]
        for key in backend.keys:
            del self.tables.held_keys[key]
        if backend.transaction is not None:
            backend.transaction.end()

    def crash(self, pick: random.Random) -> None:
        """Stop at once: sessions end, and commits that did not wait for the disk may be undone."""
        self.up = False
        for backend in list(self.backends.values()):
            backend.crashed = True
        for backend in list(self.backends.values()):
            self.close(backend)
            backend.client.break_off()
        lost = pick.randint(0, len(self._unflushed))
        for before in reversed(self._unflushed[len(self._unflushed) - lost :]):
            self.tables.jobs.update(before)
            self.undone(before)
        self._unflushed = []
        self._tell(f"crash, {lost} commits undone")

    def start(self) -> None:
        """Be there again."""
        self.up = True
        self.tables.started_at = self._now()
        self._tell("up")

    def outside(self, name: str, **parameters: Any) -> bool:
        """Run a statement of the application's; return whether it could be run now."""
        if not self.up:
            return False
        transaction = Transaction(self.tables, now=self._now())
        try:
            rows = getattr(self._semantics, name)(transaction, parameters)
        except Locked:
            return False
        self._commit(transaction)
        return bool(rows)

    def insert(self, job: Job, *said: tuple[str, str]) -> None:
        """Enqueue a job, and say so."""
        transaction = Transaction(self.tables, now=self._now())
        transaction.add(job)
        transaction.said += said
        self._commit(transaction)

    def say(self, channel: str, payload: str) -> None:
        """Tell everybody who listens on a channel."""
        for backend in list(self.backends.values()):
            if channel in backend.channels:
                backend.client.hear(channel, payload)

    def _run(
        self, backend: Backend, transaction: Transaction, known: Known, values: tuple[Any, ...]
    ) -> list[tuple[Any, ...]]:
        parameters = known.bind(values)
        match known.name:
            case "settle" | "settle_lightly":
                backend.durable = known.name == "settle"
                backend.limits = known.limits
                return [("",)]
            case name if name in _SETTLED:
                return _SETTLED[name]
            case "limit_waits":
                waits, duration = parameters["lock_wait"], parameters["duration"]
                backend.limits = {"lock_timeout": waits, "statement_timeout": duration}
                return [("", "")]
            case "try_lock":
                key = parameters["lock"]
                backend.keys.add(key)
                self.tables.held_keys[key] = backend
                return [(True, backend.pid)]
            case name:
                rows: list[tuple[Any, ...]] = getattr(self._semantics, name)(
                    transaction, parameters
                )
                return [(*row, "") for row in rows] if known.commits else rows

    def _commit(self, transaction: Transaction) -> None:
        before = {
            job_id: self.tables.jobs[job_id]
            for job_id in transaction.changes
            if job_id in self.tables.jobs
        }
        wrote = transaction.changes or transaction.workers or transaction.effects
        transaction.commit()
        if not transaction.durable and before:
            self._unflushed.append(before)
        elif transaction.durable and wrote:
            self._unflushed = []
        for channel, payload in transaction.said:
            self.say(channel, payload)
