"""Runs every order of the steps of some actors, each from the same beginning, on a real PostgreSQL.

An order is a list of choices: which of the actors at their gates goes next. It is run to its end, then
the last choice that has another way is changed, until none has. An actor whose statement waits for the
lock of another one is not at its gate, and goes on when PostgreSQL lets it, as in PostgreSQL's own
isolation tester. After each step the tables are read and compared with what was committed.

    begin anew ──▶ choose ──▶ let go ──▶ until it is at its gate, over, or waits ──▶ check ──▶ choose …
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

from asyncpg import PostgresError, SerializationError

from tests.interleavings.arena import Arena
from tests.interleavings.book import Book
from tests.interleavings.ledger import Ledger, Tables, Violated, must
from tests.interleavings.scene import Scene
from tests.interleavings.seat import NEVER_WAITS, Seat, Where

_SOON = 0.005
"""Seconds after which PostgreSQL is asked whether a statement waits."""
_PATIENCE = 30.0


@dataclass
class Choices:
    """The choices of one order: those that are given, and then the first way that there is.

    ways: How many ways there were at each.
    """

    given: list[int]
    pick: random.Random | None = None
    ways: list[int] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)

    def take(self, ways: int) -> int:
        """Choose one of several ways."""
        place = len(self.taken)
        if place < len(self.given):
            choice = self.given[place]
        else:
            choice = self.pick.randrange(ways) if self.pick else 0
        self.ways.append(ways)
        self.taken.append(choice)
        return choice

    def following(self) -> list[int] | None:
        """Return the next order's choices; None after the last order."""
        for place in reversed(range(len(self.taken))):
            if self.taken[place] + 1 < self.ways[place]:
                return [*self.taken[:place], self.taken[place] + 1]
        return None


class Explorer:
    """Runs the orders of one scene."""

    def __init__(self, arena: Arena, book: Book, scene: Scene) -> None:
        self._arena = arena
        self._scene = scene
        self._seats = arena.seats[: len(scene.actors)]
        for seat in self._seats:
            seat.book = book
        self._told: list[str] = []

    async def run_all(self) -> int:
        """Run all orders; return how many there are."""
        given: list[int] | None = []
        count = 0
        while given is not None:
            choices = Choices(given)
            await self._run(choices)
            given = choices.following()
            count += 1
        return count

    async def run_some(self, count: int, seed: int) -> int:
        """Run so many orders, chosen at random; return how many different ones these were."""
        pick = random.Random(seed)  # noqa: S311 - the same orders in each run
        seen: set[tuple[int, ...]] = set()
        for _ in range(count):
            choices = Choices([], pick)
            await self._run(choices)
            seen.add(tuple(choices.taken))
        return len(seen)

    async def _run(self, choices: Choices) -> None:
        self._told = []
        await self._arena.begin(self._scene)
        ledger = Ledger(await self._arena.read())
        for seat in self._seats:
            seat.enter()
        actors = {
            seat: asyncio.create_task(self._act(seat, name))
            for seat, name in zip(self._seats, self._scene.actors, strict=True)
        }
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._take_steps(choices, ledger)
                await asyncio.gather(*actors.values())
                await self._rescue_the_rest(ledger)
        except Violated as violated:
            raise Violated(f"{violated}\nin the order {choices.taken}:\n{self._shown}") from None
        finally:
            for task in actors.values():
                task.cancel()
            await asyncio.gather(*actors.values(), return_exceptions=True)
            await self._arena.settle_seats()

    async def _act(self, seat: Seat, name: str) -> None:
        seat.name = name
        try:
            await self._scene.actors[name](seat)
        except SerializationError:
            await seat.reset()
            self._told.append(f"  {name}: rolled back, for it could not be serialized")
        except PostgresError as error:
            await seat.reset()
            seat.trouble = f"{type(error).__name__}: {error}"
        finally:
            seat.leave()

    async def _take_steps(self, choices: Choices, ledger: Ledger) -> None:
        await self._settle()
        while ready := [seat for seat in self._seats if seat.where is Where.AT_THE_GATE]:
            seat = ready[choices.take(len(ready)) if len(ready) > 1 else 0]
            step = seat.next_step
            self._told.append(f"  {seat.name}: {step}")
            seat.let_go()
            await self._settle()
            if seat.waits:
                self._told[-1] += " (waits)"
                must(step not in NEVER_WAITS, f"{step} waits for somebody's lock")
            self._check(ledger, await self._arena.read())
        waiting = [seat.name for seat in self._seats if seat.where is not Where.OVER]
        must(not waiting, f"{waiting} wait for ever")

    async def _settle(self) -> None:
        """Wait until every actor is at its gate, is over, or waits for a lock."""
        changed = self._arena.changed
        while moving := [seat for seat in self._seats if seat.where is Where.MOVING]:
            changed.clear()
            if not all(seat.waits for seat in moving):
                try:
                    async with asyncio.timeout(_SOON):
                        await changed.wait()
                except TimeoutError:
                    pass
                else:
                    continue
            waiting = await self._arena.waiting([seat.pid for seat in moving])
            for seat in moving:
                seat.waits = seat.pid in waiting
            if len(waiting) == len(moving):
                break
        for seat in self._seats:
            seat.waits = seat.waits and seat.where is Where.MOVING

    def _check(self, ledger: Ledger, tables: Tables) -> None:
        facts = [fact for seat in self._seats for fact in seat.committed]
        for seat in self._seats:
            seat.committed = []
            must(not seat.trouble, f"{seat.name} met {seat.trouble}")
        ledger.check(facts, tables)

    async def _rescue_the_rest(self, ledger: Ledger) -> None:
        """Rescue what was given to a worker that was taken for dead at the same moment."""
        facts = await self._arena.rescue_orphans()
        ledger.check(facts, await self._arena.read())
        ledger.check_end()

    @property
    def _shown(self) -> str:
        return "\n".join(self._told)
