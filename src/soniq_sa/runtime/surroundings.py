"""Calls hooks and middleware around the handlers of an application that has any.

    place in the pool ──▶ clock ──▶ middleware ( before_job ──▶ handler ──▶ after_job ) ──▶ on_error
                                                └ with a session: until its COMMIT

Once the handler's session has committed, the end of the job is written: what goes wrong behind that
is reported, and changes nothing. Before that, an error of a middleware is the error of the attempt.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from copy import copy
from functools import wraps
from typing import Any

from soniq_sa.asks import Ask
from soniq_sa.errors import JobTimeoutError, MiddlewareError
from soniq_sa.events import HookFailed
from soniq_sa.functions import full_name
from soniq_sa.hooks import Hooks, is_async
from soniq_sa.outcome import LOST, Done, Failed, Outcome, Settled
from soniq_sa.runtime.failure import InvalidJob, InvalidResult, SessionAway, outcome_of, recordable
from soniq_sa.runtime.handler import Handler, StartClock
from soniq_sa.runtime.jobs import HeldJob, JobDesk, Verdict
from soniq_sa.runtime.places import ANYWHERE, Places
from soniq_sa.runtime.threads import HandlerRaised, Threads
from soniq_sa.runtime.trace import trace_of
from soniq_sa.subscribers import Events
from soniq_sa.task import Task

MakeHandler = Callable[[Task[..., Any], StartClock, Places], Handler]

_LAST_WORD = 10.0
"""Seconds for all ``on_error`` hooks of one attempt, whose own time may be over."""


class SurroundedHandler(Handler):
    """A handler with what its application had registered around jobs when this was made.

    The handler inside gets its place and its clock from here: both are there before the first
    middleware.
    """

    def __init__(
        self,
        task: Task[..., Any],
        start_clock: StartClock,
        desk: JobDesk,
        places: Places,
        make: MakeHandler,
        *,
        hooks: Hooks,
        events: Events,
        threads: Threads,
    ) -> None:
        super().__init__(task, start_clock, desk)
        self.inner = make(_noting(task), lambda _: None, ANYWHERE)
        self.middleware = tuple(hooks.middleware)
        self.observers = Observers(hooks, events, None if task.is_async else threads)
        self._places = places

    async def run(self, job: HeldJob) -> Outcome:
        """Run the handler for ``job``, and all that is around it."""
        async with self._places.taken(job):
            self.start_clock(job)
            return await _Run(self, job).run()


_returned: ContextVar[list[Any]] = ContextVar("soniq_sa_returned")


def _noting(task: Task[..., Any]) -> Task[..., Any]:
    """Return ``task`` with a handler that leaves what it returns where `_Run` finds it."""
    noting, handler = copy(task), task.handler

    @wraps(handler)
    async def call_async(*args: Any, **kwargs: Any) -> Any:
        returned = await handler(*args, **kwargs)
        _returned.get().append(returned)
        return returned

    @wraps(handler)
    def call_sync(*args: Any, **kwargs: Any) -> Any:
        returned = handler(*args, **kwargs)
        _returned.get().append(returned)
        return returned

    noting.handler = call_async if task.is_async else call_sync
    return noting


class _Run:
    """One run of a handler, on its way through the middleware and back."""

    def __init__(self, handler: SurroundedHandler, job: HeldJob) -> None:
        self.job = job
        self.context = job.context(handler.desk)
        self._handler = handler
        self._observers = handler.observers
        self._outcome: Outcome = LOST
        self._result: Any = None
        self._carrier: BaseException | None = None
        self._shown: BaseException | None = None

    async def run(self) -> Outcome:
        """Return how the run ended, after the hooks for an error were called."""
        try:
            await self.pass_on(0)
        except BaseException as error:  # noqa: BLE001 - the border of user code: middleware
            return await self._end_by(error)
        return self._outcome

    @property
    def _committed(self) -> bool:
        return isinstance(self._outcome, Settled)

    async def pass_on(self, index: int) -> Any:
        """Call the middleware with that index, behind the last one the handler."""
        if index == len(self._handler.middleware):
            return await self._call_handler()
        middleware = self._handler.middleware[index]
        call_next = _CallNext(self, index + 1, name_of(middleware))
        before = _cancellations()
        try:
            await middleware(self.context, call_next)
            call_next.check()
        except BaseException as error:
            if not self._committed or _cancellations() > before:
                raise
            self._observers.report("middleware", middleware, self.job, error)
        return self._result

    async def _call_handler(self) -> Any:
        await self._observers.tell_before(self)
        noted: list[Any] = []
        _returned.set(noted)
        try:
            self._outcome = await self._handler.inner.run(self.job)
        except (HandlerRaised, InvalidJob, InvalidResult, SessionAway) as carrier:
            self._carrier, self._shown = carrier, _shown(carrier)
        if self._shown is not None:
            raise self._shown
        self._result = noted[0] if noted else None
        end = self._outcome.as_ if isinstance(self._outcome, Settled) else self._outcome
        if isinstance(end, Done):
            await self._observers.tell_after(self, self._result)
        return self._result

    async def _end_by(self, error: BaseException) -> Outcome:
        if self._committed:
            return self._outcome
        if self.job.verdict is not None:
            return await self._end_by_verdict(error)
        original = self._carrier if self._carrier and error is self._shown else error
        outcome = outcome_of(original, self.job)
        cause = _innermost(original)
        if isinstance(outcome, Failed) and not isinstance(cause, Ask):
            await self._observers.tell_error(self, cause)
        return outcome

    async def _end_by_verdict(self, error: BaseException) -> Outcome:
        """Leave the outcome to the runner, which has cancelled this run."""
        if self.job.verdict is Verdict.TIMED_OUT:
            late = JobTimeoutError("The attempt took longer than its timeout.")
            await self._observers.tell_error(self, late)
        if self._outcome is LOST:
            raise error
        return self._outcome


class _CallNext:
    """What a middleware calls to have the rest run; see `soniq_sa.hooks.CallNext`."""

    def __init__(self, run: _Run, index: int, name: str) -> None:
        self._run = run
        self._index = index
        self._name = name
        self._called = False
        self._ended = False
        self._error: BaseException | None = None

    async def __call__(self) -> Any:
        if self._called:
            raise MiddlewareError(
                f"The middleware {self._name} called call_next() twice. To have the job run again, "
                "raise Retry."
            )
        self._called = True
        try:
            return await self._run.pass_on(self._index)
        except BaseException as error:
            self._error = error
            raise
        finally:
            self._ended = True

    def check(self) -> None:
        """Raise the error that the middleware caught, or what is wrong with how it called."""
        if self._error is not None:
            raise self._error
        if not self._ended:
            did = "did not wait for" if self._called else "returned without calling"
            raise MiddlewareError(
                f"The middleware {self._name} {did} call_next(). Write: await call_next(). To keep a "
                "job from running, raise Cancel, Discard, Snooze or Retry."
            )


class Observers:
    """The hooks of an application, called one after the other; none can harm the job.

    threads: Where the sync ones run; None: on the event loop.
    """

    def __init__(self, hooks: Hooks, events: Events, threads: Threads | None) -> None:
        self._before_job = tuple(hooks.before_job)
        self._after_job = tuple(hooks.after_job)
        self._on_error = tuple(hooks.on_error)
        self._events = events
        self._threads = threads

    async def tell_before(self, run: _Run) -> None:
        """Call the hooks that come before the handler."""
        await self._tell("before_job", self._before_job, run)

    async def tell_after(self, run: _Run, result: Any) -> None:
        """Call the hooks that come after a handler that has returned."""
        await self._tell("after_job", self._after_job, run, result)

    async def tell_error(self, run: _Run, error: BaseException) -> None:
        """Call the hooks for an attempt that failed, with a time limit of their own."""
        run.job.deadline = None
        deadline = asyncio.get_running_loop().time() + _LAST_WORD
        await self._tell("on_error", self._on_error, run, error, deadline=deadline)

    async def _tell(
        self,
        kind: str,
        hooks: Sequence[Callable[..., object]],
        run: _Run,
        *args: Any,
        deadline: float | None = None,
    ) -> None:
        for hook in hooks:
            before = _cancellations()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._call(hook, run.context, *args)
            except BaseException as error:
                if _cancellations() > before:
                    raise
                self.report(kind, hook, run.job, error)

    async def _call(self, hook: Callable[..., object], *args: Any) -> None:
        if self._threads is None or is_async(hook):
            answer = hook(*args)
        else:
            answer = await self._threads.run(lambda: hook(*args))
        if inspect.isawaitable(answer):
            await answer

    def report(
        self, kind: str, hook: Callable[..., object], job: HeldJob, error: BaseException
    ) -> None:
        """Say that a hook has failed, and that the job goes on."""
        text = recordable(trace_of(_innermost(error)), job)
        self._events.emit(HookFailed(job.id, job.task, kind, name_of(hook), text))


def name_of(hook: Callable[..., object]) -> str:
    """Return the module and the qualified name of a function; of another object its repr()."""
    return full_name(hook) if hasattr(hook, "__qualname__") else repr(hook)


def _shown(carrier: BaseException) -> BaseException:
    """Return the error that middleware sees: not ours around it, unless it cannot cross an await."""
    error = _innermost(carrier)
    crosses = isinstance(error, Exception) and not isinstance(error, StopIteration)
    return error if crosses else carrier


def _innermost(error: BaseException) -> BaseException:
    """Return the error that a carrier of ours holds."""
    match error:
        case HandlerRaised():
            return _innermost(error.error)
        case InvalidJob() | InvalidResult() | SessionAway() if error.__cause__ is not None:
            return error.__cause__
        case _:
            return error


def _cancellations() -> int:
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()
