"""An event loop without a clock and without a network: time jumps to the next timer.

Every callback belongs to a strand, which stands for a thread of a process. A strand can be halted: its
callbacks are kept, and run when it goes on, as after SIGSTOP and SIGCONT. One that is halted for ever is
a thread that was killed. A strand has a clock of its own, which may be off, and run at another rate.
"""

# ruff: noqa: SLF001 - asyncio has no public way to run a handle

from __future__ import annotations

import asyncio
import contextvars
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_TICK = 1e-6
"""Seconds by which time goes on at least, if a clock has not come to the moment that is waited for."""


@dataclass(eq=False)
class Strand:
    """One thread: ``peer`` is the other one of its process, to which it says things."""

    name: str
    clock_offset: float = 0.0
    clock_rate: float = 1.0
    halted: bool = False
    dead: bool = False
    kept: list[asyncio.Handle] = field(default_factory=list)
    peer: Strand | None = None
    process: Any = None
    task: asyncio.Task[None] | None = None

    def context(self) -> contextvars.Context:
        """Return a context in which everything that is started belongs to this strand."""
        context = contextvars.copy_context()
        context.run(STRAND.set, self)
        return context


STRAND: contextvars.ContextVar[Strand] = contextvars.ContextVar("strand")
WORLD = Strand("world")
"""What is no process of ours: the server, the network, and whoever watches."""
STRAND.set(WORLD)


class VirtualLoop(asyncio.BaseEventLoop):
    """A loop in which no time passes but between timers."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.steps = 0
        self.failure: BaseException | None = None

    def time(self) -> float:
        """Return the time by the clock of the strand that asks."""
        strand = STRAND.get(WORLD)
        return self.now * strand.clock_rate + strand.clock_offset

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Plan a callback for a time by the clock of the strand that asks."""
        strand = STRAND.get(WORLD)
        there = max((when - strand.clock_offset) / strand.clock_rate, self.now)
        if there * strand.clock_rate + strand.clock_offset < when:  # rounded: it would be too early
            there += _TICK
        return super().call_at(there, callback, *args, context=context)

    def call_soon_threadsafe(
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """Call something in the other thread of the process."""
        strand = STRAND.get(WORLD)
        there = strand.peer or strand
        return self.call_soon(callback, *args, context=context or there.context())

    def go_on(self, strand: Strand) -> None:
        """Let a halted strand run what was kept for it."""
        strand.halted = False
        kept, strand.kept = strand.kept, []
        self._ready.extend(kept)  # type: ignore[attr-defined]

    def _run_once(self) -> None:
        """Run what is ready; if nothing is, jump to the next timer."""
        ready, planned = self._ready, self._scheduled  # type: ignore[attr-defined]
        while planned and planned[0]._cancelled:
            heapq.heappop(planned)._scheduled = False
        if not ready:
            assert planned, "nothing will ever happen again"
            self.now = max(self.now, planned[0].when())
        while planned and planned[0].when() <= self.now:
            handle = heapq.heappop(planned)
            handle._scheduled = False
            ready.append(handle)
        for _ in range(len(ready)):
            handle = ready.popleft()
            strand = handle._context.get(STRAND, WORLD)
            if handle._cancelled:
                continue
            if strand.halted:
                strand.kept.append(handle)
                continue
            self.steps += 1
            handle._run()
            if self.failure is not None:
                raise self.failure

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Leave cancelled timers where they are, until their time comes."""

    def _process_events(self, _events: object) -> None:
        """Have none: there is no selector."""

    def _write_to_self(self) -> None:
        """Wake nobody: there is one thread."""
