"""One actor's session: each of its statements is a step, which waits until the explorer lets it go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

from tests.interleavings.book import Book
from tests.interleavings.ledger import Fact

NEVER_WAITS = {"claim", "rescue", "orphans", "promote", "silent", "prune", "prunable", "owned"}
"""Statements that pass over the rows that somebody has locked, so that nobody holds them up."""


class Where(Enum):
    """Where an actor is."""

    AT_THE_GATE = "at the gate"
    MOVING = "moving"
    OVER = "over"


class Seat:
    """The session of one actor.

    A statement runs in a transaction that stays open until `commit`, also where the worker commits it
    with the statement: so the others meet the locks of one that has run, and is not committed yet.
    """

    def __init__(self, name: str, driver: Any, pid: int, *, on_change: Callable[[], None]) -> None:
        self.name = name
        self.pid = pid
        self.book: Book
        self.where = Where.OVER
        self.next_step = ""
        self.waits = False
        self.trouble = ""
        self.committed: list[Fact] = []
        self._driver = driver
        self._on_change = on_change
        self._gate: asyncio.Future[None] | None = None
        self._in_transaction = False
        self._isolation = ""
        self._notes: list[Fact] = []

    async def run(self, statement: str, *facts: Fact, **parameters: Any) -> Sequence[Any]:
        """Take a step: execute a statement, in a transaction that is begun if there is none."""
        await self._step(statement)
        await self._begin()
        text, arguments = self.book.call(statement, parameters)
        rows: Sequence[Any] = await self._driver.fetch(text, *arguments)
        if rows:
            self._notes += facts
        return rows

    async def write(self, effect: str, *arguments: Any) -> None:
        """Take a step: execute what a handler writes."""
        await self._step("the handler's write")
        await self._begin()
        await self._driver.execute(effect, *arguments)

    async def read(self, statement: str, **parameters: Any) -> Sequence[Any]:
        """Take a step: execute a statement and commit it at once."""
        await self._step(statement)
        text, arguments = self.book.call(statement, parameters)
        rows: Sequence[Any] = await self._driver.fetch(text, *arguments)
        return rows

    async def commit(self) -> None:
        """Take a step: COMMIT."""
        await self._step("COMMIT")
        await self._driver.execute("COMMIT")
        self._in_transaction = False
        self.committed += self._notes
        self._notes = []

    async def roll_back(self) -> None:
        """Take a step: ROLLBACK."""
        await self._step("ROLLBACK")
        await self.reset()

    def note(self, *facts: Fact) -> None:
        """Note what is true once this transaction is committed."""
        self._notes += facts

    def isolate(self, level: str) -> None:
        """Have the next transactions run at another isolation level."""
        self._isolation = f" ISOLATION LEVEL {level}"

    def enter(self) -> None:
        """Note that an actor comes, and is on its way to its first step."""
        self.where = Where.MOVING

    def let_go(self) -> None:
        """Let the actor take its next step."""
        assert self._gate is not None
        self.where = Where.MOVING
        self._gate.set_result(None)

    def leave(self) -> None:
        """Note that the actor has no further step."""
        self.where = Where.OVER
        self._on_change()

    async def reset(self) -> None:
        """End the transaction, whatever state it is in, and forget what was noted."""
        if self._in_transaction:
            await self._driver.execute("ROLLBACK")
        self._in_transaction = False
        self._notes = []

    async def clear(self) -> None:
        """Be as new for the next order."""
        await self.reset()
        self.committed = []
        self.where, self.waits, self.trouble, self._isolation = Where.OVER, False, "", ""

    async def _begin(self) -> None:
        if not self._in_transaction:
            await self._driver.execute(f"BEGIN{self._isolation}")
            self._in_transaction = True

    async def _step(self, what: str) -> None:
        self._gate = asyncio.get_running_loop().create_future()
        self.next_step, self.where = what, Where.AT_THE_GATE
        self._on_change()
        await self._gate
