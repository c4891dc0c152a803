"""What stands in for asyncpg: connections over a network that loses, delays and cuts.

SQLAlchemy and all of soniq-sa above it are real. A request, or its answer, may be late, or lost with the
connection half-open, or cut; whether the server has done what was asked is then not known.

    ask ──▶ request ──▶ server ──▶ answer ──▶ the future of the caller
               └ lost, cut   └ done, and the answer lost or cut
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from asyncpg.exceptions import ConnectionDoesNotExistError, InterfaceError

from tests.simulation.catalogue import Catalogue
from tests.simulation.loop import STRAND, WORLD, Strand, VirtualLoop
from tests.simulation.server import Backend, Server

_DOUBLE = 701
"""The type of every column: only numbers are asked for theirs."""

SMALL_TALK = {
    "select pg_catalog.version()": "PostgreSQL 17.0 on a virtual machine",
    "select current_schema()": "public",
    "show standard_conforming_strings": "on",
    "show transaction isolation level": "read committed",
}


class Fate(Enum):
    """What becomes of a request."""

    ANSWERED = "answered"
    LOST = "lost"
    CUT = "cut"
    ANSWER_LOST = "answer lost"
    ANSWER_CUT = "answer cut"


TROUBLES = [Fate.LOST, Fate.CUT, Fate.ANSWER_LOST, Fate.ANSWER_CUT]


@dataclass
class Network:
    """What is between the processes and the server.

    trouble: The part of the requests to which something happens. slow: The part that takes seconds.
    """

    loop: VirtualLoop
    server: Server
    pick: random.Random
    known: Catalogue
    trouble: float = 0.0
    slow: float = 0.0
    silence: float = 20.0
    """Seconds after which the server gives up a client that it does not hear."""

    def later(self, what: Callable[..., Any], *args: Any, delay: float | None = None) -> None:
        """Have something happen elsewhere."""
        if self.loop.is_closed():
            return
        wait = self.delay() if delay is None else delay
        self.loop.call_at(self.loop.time() + wait, what, *args, context=WORLD.context())

    def delay(self) -> float:
        """Return how long a message takes."""
        if self.pick.random() < self.slow:
            return self.pick.uniform(0.1, 12.0)
        return self.pick.uniform(0.0001, 0.002)

    def fate(self) -> Fate:
        """Return what becomes of the next request."""
        if self.pick.random() < self.trouble:
            return self.pick.choice(TROUBLES)
        return Fate.ANSWERED

    def fate_of_answer(self) -> Fate:
        """Return what becomes of an answer that says something: it is lost more often."""
        if self.pick.random() < 3 * self.trouble:
            return self.pick.choice([Fate.ANSWER_LOST, Fate.ANSWER_CUT])
        return Fate.ANSWERED


@dataclass(frozen=True)
class Attribute:
    """A column of a result."""

    name: str
    type: Any


@dataclass(frozen=True)
class _Type:
    oid: int = _DOUBLE


class Prepared:
    """A prepared statement; preparing costs no message."""

    def __init__(self, connection: Connection, text: str, width: int) -> None:
        self._connection = connection
        self._text = text
        self._attributes = [Attribute(f"column{place}", _Type()) for place in range(width)]

    def get_attributes(self) -> Sequence[Attribute]:
        """Return the columns."""
        return self._attributes

    def get_statusmsg(self) -> str:
        """Return what the server says of the last execution."""
        return ""

    async def fetch(self, *values: Any) -> list[tuple[Any, ...]]:
        """Execute it."""
        return await self._connection.fetch(self._text, *values)


class Bracket:
    """A transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def start(self) -> None:
        """BEGIN."""
        await self._connection.ask("begin")

    async def commit(self) -> None:
        """COMMIT."""
        await self._connection.ask("end", commit=True)

    async def rollback(self) -> None:
        """ROLLBACK."""
        await self._connection.ask("end", commit=False)


class Connection:
    """The client's end of a session: as much of asyncpg's as is used."""

    def __init__(self, network: Network, strand: Strand) -> None:
        self.strand = strand
        self.severed = False
        self._network = network
        self._server = network.server
        self._loop = network.loop
        self._closed = False
        self._backend: Backend | None = None
        self._waiting: list[asyncio.Future[Any]] = []
        self._listeners: dict[str, Callable[..., None]] = {}
        self._on_end: list[Callable[..., None]] = []

    async def connect(self) -> Connection:
        """Reach the server, or raise what asyncpg raises."""
        fate = self._network.fate()
        opened = self._future()
        if fate in {Fate.ANSWERED, Fate.ANSWER_LOST}:
            self._network.later(self._arrive, opened)
        elif fate is not Fate.LOST:
            self._network.later(self._refuse, opened)
        try:
            await opened
        except BaseException:
            self.terminate()
            raise
        if fate is Fate.ANSWER_LOST:
            self.severed = True
        return self

    async def ask(self, what: str, *args: Any, **options: Any) -> Any:
        """Send a request, and wait for its answer."""
        if self._closed:
            raise InterfaceError("connection is closed")
        fate, answered = self._network.fate(), self._future()
        if self.severed or fate is Fate.LOST:
            self.severed = True
        elif fate is Fate.CUT:
            self._network.later(self.break_off)
        else:
            self._network.later(self._reach, what, args, options, fate, answered)
        return await answered

    async def fetch(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        """Execute a statement."""
        if (said := SMALL_TALK.get(text)) is not None:
            return [(said,)]
        rows: list[tuple[Any, ...]] = await self.ask("execute", text, values)
        return rows

    async def prepare(self, text: str, name: str | None = None) -> Prepared:  # noqa: ARG002 - asyncpg's
        """Prepare a statement."""
        width = 1 if text in SMALL_TALK else self._network.known[text].width
        return Prepared(self, text, width)

    def transaction(self, **_options: Any) -> Bracket:
        """Return a transaction that has not begun."""
        return Bracket(self)

    async def add_listener(self, channel: str, callback: Callable[..., None]) -> None:
        """LISTEN."""
        await self.ask("listen", channel)
        self._listeners[channel] = callback

    def add_termination_listener(self, callback: Callable[..., None]) -> None:
        """Have something called when the connection ends."""
        self._on_end.append(callback)

    async def set_type_codec(self, *_: Any, **__: Any) -> None:
        """Decode nothing: what the server says is Python."""

    def get_server_pid(self) -> int:
        """Return the session."""
        assert self._backend is not None
        return self._backend.pid

    def is_closed(self) -> bool:
        """Tell whether the connection has ended."""
        return self._closed

    async def close(self, timeout: float | None = None) -> None:  # noqa: ARG002 - asyncpg's
        """End the session."""
        self.terminate()

    def terminate(self) -> None:
        """End the session without a word; the server learns of it if it can."""
        if not self._closed:
            self._closed = True
            self.leave_server()

    def leave_server(self) -> None:
        """Have the server learn that nobody is there."""
        if self._backend is not None:
            silence = self._network.silence
            delay = self._network.pick.uniform(1.0, silence) if self.severed else None
            self._network.later(self._server.close, self._backend, delay=delay)

    def hear(self, channel: str, payload: str) -> None:
        """Hear what was said on a channel, if the connection is good."""
        if not self.severed:
            self._network.later(self._hear, channel, payload)

    def break_off(self) -> None:
        """Learn that the connection is closed, if that comes through."""
        if self.severed or self._closed:
            return
        self._closed = True
        self.leave_server()
        for future in self._waiting:
            if not future.done():
                future.set_exception(
                    ConnectionDoesNotExistError("connection was closed in the middle of operation")
                )
        for callback in self._on_end:
            self._loop.call_soon(callback, self, context=self.strand.context())

    def _arrive(self, opened: asyncio.Future[Any]) -> None:
        if not self._server.up:
            self._refuse(opened)
        elif not (opened.done() or self._closed or self.severed or self.strand.dead):
            self._backend = self._server.connect(self, self.strand.name)
            opened.set_result(None)

    def _refuse(self, opened: asyncio.Future[Any]) -> None:
        if not opened.done():
            opened.set_exception(ConnectionRefusedError("the server is not there"))

    def _reach(
        self,
        what: str,
        args: tuple[Any, ...],
        options: dict[str, Any],
        asked: Fate,
        answered: asyncio.Future[Any],
    ) -> None:
        """Be at the server with a request."""

        def answer(rows: Any) -> None:
            fate = self._network.fate_of_answer() if rows and asked is Fate.ANSWERED else asked
            if fate is Fate.ANSWER_LOST:
                self.severed = True
            elif fate is Fate.ANSWER_CUT:
                self._network.later(self.break_off)
            elif not self.severed:
                self._network.later(self._answer, answered, rows)

        getattr(self._server, what)(self._backend, *args, answer=answer, **options)

    def _answer(self, answered: asyncio.Future[Any], rows: Any) -> None:
        if answered.done() or self.severed:
            return
        if isinstance(rows, Exception):
            answered.set_exception(rows)
        else:
            answered.set_result(rows)

    def _hear(self, channel: str, payload: str) -> None:
        callback = self._listeners.get(channel)
        if callback is not None and not self.severed and not self._closed:
            self._loop.call_soon(callback, self, 0, channel, payload, context=self.strand.context())

    def _future(self) -> asyncio.Future[Any]:
        future = self._loop.create_future()
        self._waiting = [one for one in self._waiting if not one.done()] + [future]
        return future


def here() -> Strand:
    """Return the strand that runs."""
    return STRAND.get()


class Greeting(Connection):
    """The connection with which SQLAlchemy finds out, once, what server this is."""

    def __init__(self) -> None:  # what a connection needs, it does not
        self._closed = False

    async def ask(self, what: str, *args: Any, **options: Any) -> Any:  # noqa: ARG002 - asyncpg's
        """Answer at once."""
        return []

    def terminate(self) -> None:
        """Do nothing: there is no server."""
        self._closed = True
