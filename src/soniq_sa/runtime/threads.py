"""Threads for sync handlers.

`concurrent.futures` joins its threads at the end of the program, so one handler that never returns
would keep the worker from exiting. These threads are daemons, and one that is stuck is given up:
another may take its place.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

OnLeft = Callable[[asyncio.Future[None]], None]


class HandlerRaised(Exception):  # noqa: N818 - carries an error, is none of its own
    """Carry whatever a function raised in a thread; some errors cannot cross a future as they are."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


class Threads:
    """Run functions in threads: as many as are busy at a time, kept for the next ones."""

    def __init__(self) -> None:
        self._idle: list[_Thread] = []

    async def run(self, function: Callable[[], Any], on_left: OnLeft | None = None) -> Any:
        """Return what ``function`` returns, called in a thread, in a copy of this context.

        Raises `HandlerRaised` with what it raises. If the caller is cancelled the thread goes on,
        and is not used again; ``on_left`` is called with a future that is done when it ends.
        """
        thread = self._idle.pop() if self._idle else _Thread()
        value, error = await thread.call(contextvars.copy_context(), function, on_left)
        self._idle.append(thread)
        if error is not None:
            raise HandlerRaised(error)
        return value

    def close(self) -> None:
        """Let the idle threads end."""
        while self._idle:
            self._idle.pop().end()


class _Thread:
    """One daemon thread, for one call at a time."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="soniq-sa-handler", daemon=True).start()

    async def call(
        self, context: contextvars.Context, function: Callable[[], Any], on_left: OnLeft | None
    ) -> tuple[Any, BaseException | None]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()
        left: asyncio.Future[None] = loop.create_future()

        def run() -> None:
            value, raised = None, None
            try:
                value = context.run(function)
            except BaseException as error:  # noqa: BLE001 - a thread's border: handed to the loop
                raised = error
            _deliver(loop, answer, (value, raised), left)

        self._calls.put(run)
        try:
            return await answer
        except asyncio.CancelledError:
            self.end()
            if on_left is not None:
                on_left(left)
            raise

    def end(self) -> None:
        self._calls.put(None)

    def _work(self) -> None:
        while (run := self._calls.get()) is not None:
            run()


def _deliver(
    loop: asyncio.AbstractEventLoop,
    answer: asyncio.Future[Any],
    result: Any,
    left: asyncio.Future[None],
) -> None:
    def settle() -> None:
        if not answer.done():
            answer.set_result(result)
        elif not left.done():
            left.set_result(None)

    with suppress(RuntimeError):  # the loop has ended, and nobody waits for the answer any more
        loop.call_soon_threadsafe(settle)
