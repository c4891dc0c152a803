"""Opens the resources of a worker, keeps them open, and closes them.

    open() ─┬▶ all are open ──▶ … the worker works … ──▶ close() ──▶ closed, the last one first
            └▶ one fails: those before it are closed, `ResourceError`

All of it happens in one task of its own, because a cancel scope or a task group inside a resource
must be left by the task that entered it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any

from soniq_sa.errors import ResourceError
from soniq_sa.events import ResourceFailed
from soniq_sa.resources import AnyManager, Resource
from soniq_sa.runtime.threads import HandlerRaised, Threads
from soniq_sa.runtime.trace import trace_from, trace_of
from soniq_sa.subscribers import Events

_CLOSE_GRACE = 5.0
_HURRIED_GRACE = 0.2
_CANCEL_GRACE = 1.0


class Lifespan:
    """The open resources of one worker.

    on_lost: Called if a resource ends while the worker works, as a task group does when one of its
        tasks fails.
    """

    def __init__(
        self, events: Events, resources: Iterable[Resource], on_lost: Callable[[], None]
    ) -> None:
        self.values: dict[Resource, Any] = {}
        self._events = events
        self._resources = tuple(resources)
        self._on_lost = on_lost
        self._lost = False
        self._open: list[tuple[Resource, AnyManager]] = []
        self._ready = asyncio.Event()
        self._closing = asyncio.Event()
        self._threads = Threads()
        self._task: asyncio.Task[None] | None = None

    async def open(self, stopping: asyncio.Event) -> bool:
        """Open all; return False if ``stopping`` is set before that is done.

        Raises `ResourceError` if one cannot be opened.
        """
        if not self._resources:
            return True
        self._task = asyncio.create_task(self._live(), name="soniq-sa resources")
        await _first(self._task, self._ready, stopping)
        if self._task.done():
            self._task.result()
        return self._ready.is_set()

    async def close(self, hurrying: asyncio.Event) -> None:
        """Close what is open, and wait for 5 seconds at most, less if ``hurrying`` is set."""
        if self._task is None:
            return
        if self._ready.is_set():
            self._closing.set()
        else:
            self._task.cancel()
        await _first(self._task, hurrying, timeout=_CLOSE_GRACE)
        await asyncio.wait({self._task}, timeout=_HURRIED_GRACE)
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=_CANCEL_GRACE)
        for resource, _ in self._open:
            self._report(resource, "at closing", TimeoutError("It was not closed in time."))
        self._threads.close()

    def check(self) -> None:
        """Raise `ResourceError` if a resource has ended by itself."""
        if self._lost:
            raise ResourceError(
                "A resource of the worker ended while it worked, so the worker has stopped. The log "
                "tells which one, and why."
            )

    async def _live(self) -> None:
        error: BaseException | None = None
        try:
            for resource in self._resources:
                await self._enter(resource)
            self._ready.set()
            await self._closing.wait()
        except asyncio.CancelledError as cancelled:
            if self._ready.is_set() and not self._closing.is_set():
                error = cancelled
                self._lost = True
                self._on_lost()
        finally:
            while self._open:
                await self._leave(*self._open[-1], error)
                self._open.pop()

    async def _enter(self, resource: Resource) -> None:
        try:
            manager = resource.make()
            if isinstance(manager, AbstractAsyncContextManager):
                self.values[resource] = await manager.__aenter__()
            else:
                self.values[resource] = await self._threads.run(manager.__enter__)
        except Exception as raised:  # noqa: BLE001 - the border of user code: a resource
            error = raised.error if isinstance(raised, HandlerRaised) else raised
            self._report(resource, "at opening", error)
            raise ResourceError(
                f"The resource {resource.name} could not be opened, so the worker does not start: "
                f"{trace_from(error, None, 0)[0].strip()}"
            ) from error
        self._open.append((resource, manager))

    async def _leave(
        self, resource: Resource, manager: AnyManager, error: BaseException | None
    ) -> None:
        """Close one resource, with the error that ended the wait, if there is one."""
        told = (None, None, None) if error is None else (type(error), error, error.__traceback__)
        try:
            if isinstance(manager, AbstractAsyncContextManager):
                await manager.__aexit__(*told)
            else:
                await self._threads.run(lambda: manager.__exit__(*told))
        except BaseException as raised:  # noqa: BLE001 - the border of user code: a resource
            trouble = raised.error if isinstance(raised, HandlerRaised) else raised
            if isinstance(trouble, asyncio.CancelledError):
                trouble = TimeoutError("It was not closed in time.")
            when = "while it was in use" if self._lost else "at closing"
            self._report(resource, when, trouble)

    def _report(self, resource: Resource, when: str, error: BaseException) -> None:
        self._events.emit(ResourceFailed(resource.name, when, trace_of(error)))


async def _first(
    task: asyncio.Task[None], *events: asyncio.Event, timeout: float | None = None
) -> None:
    """Wait until the task has ended, or one of the events is set."""
    waits = [asyncio.create_task(one.wait()) for one in events]
    await asyncio.wait({task, *waits}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    for one in waits:
        one.cancel()
