"""What an application has called around its jobs: hooks, middleware, and hooks at enqueue.

    in the program   before_enqueue ──▶ the row is added to the session
    in the worker    middleware ( before_job ──▶ handler ──▶ after_job ) ──▶ on_error

Hooks observe: one that raises is reported as `HookFailed`, and changes nothing. Middleware and
``before_enqueue`` may refuse by raising.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from soniq_sa.context import JobContext
from soniq_sa.errors import ConfigurationError
from soniq_sa.options import EnqueueOptions, check_headers


class CallNext(Protocol):
    """What a middleware is given to have the job run: ``result = await call_next()``, once."""

    def __call__(self) -> Awaitable[Any]:
        """Return what the handler returned; raise what it raised."""
        ...


BeforeJob = Callable[[JobContext], object]
AfterJob = Callable[[JobContext, Any], object]
OnError = Callable[[JobContext, Any], object]
Middleware = Callable[[JobContext, CallNext], Awaitable[object]]

Before = TypeVar("Before", bound=BeforeJob)
After = TypeVar("After", bound=AfterJob)
Error = TypeVar("Error", bound=OnError)
Around = TypeVar("Around", bound=Middleware)


class NewJob:
    """A job that is being enqueued, for the hooks of `soniq_sa.Soniq.before_enqueue`.

    task: The task name.
    options: Queue, priority, tags and so on, as they were given or as the task has them.
    headers: The text that goes with the job. What a hook adds here is stored, and is read by the
        handler as ``ctx.headers``.
    """

    def __init__(self, task: str, options: EnqueueOptions, text: str) -> None:
        self.task = task
        self.options = options
        self.headers: dict[str, str] = dict(options.headers or {})
        self._text = text

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Return the arguments as they are stored, a copy of the JSON.

        An entity is its primary key, or None while it has none.
        """
        return MappingProxyType(json.loads(self._text))

    def __repr__(self) -> str:
        return f"<NewJob {self.task}>"


BeforeEnqueue = Callable[[NewJob], None]
Offer = TypeVar("Offer", bound=BeforeEnqueue)


class Hooks:
    """The hooks and the middleware of one application, each kind in the order of registration."""

    def __init__(self) -> None:
        self.before_job: list[BeforeJob] = []
        self.after_job: list[AfterJob] = []
        self.on_error: list[OnError] = []
        self.middleware: list[Middleware] = []
        self.before_enqueue: list[BeforeEnqueue] = []

    @property
    def surround_jobs(self) -> bool:
        """Tell whether there is anything to call when a job runs."""
        return bool(self.before_job or self.after_job or self.on_error or self.middleware)

    def offer(self, task: str, options: EnqueueOptions, text: str) -> EnqueueOptions:
        """Show a new job to the hooks; return its options, with the headers that they added.

        Raises what a hook raises, and `OptionError` for a header that cannot be stored.
        """
        job = NewJob(task, options, text)
        for hook in self.before_enqueue:
            hook(job)
        if job.headers == (options.headers or {}):
            return options
        return replace(options, headers=check_headers(job.headers))


class HookDecorators:
    """The decorators with which an application registers its hooks.

    A worker takes what is registered when it starts; what is registered later is for the next one.
    """

    hooks: Hooks

    def before_job(self, hook: Before, /) -> Before:
        """Have ``hook(ctx)`` called before each run of a handler.

        Async, or sync: then in a thread if the handler is sync, else on the event loop, where it must
        not block. It counts towards the job's timeout. If it raises, that is reported, and the job
        runs all the same; to decide whether a job runs, write a `middleware`.

        Raises `ConfigurationError` for what cannot be called like this.

        Example::

            @soniq.before_job
            def note(ctx: JobContext) -> None:
                log.info("begins", job=ctx.job_id)
        """
        self.hooks.before_job.append(_checked("before_job", hook, "ctx"))
        return hook

    def after_job(self, hook: After, /) -> After:
        """Have ``hook(ctx, result)`` called when a handler has returned.

        Its session, if it has one, is committed by then. Not called for what a handler asks for its
        own job (`Snooze`, `Retry`, `Cancel`, `Discard`). For the rest see `before_job`; in a handler
        without a session, a hook that outlasts the timeout makes the attempt fail.
        """
        self.hooks.after_job.append(_checked("after_job", hook, "ctx, result"))
        return hook

    def on_error(self, hook: Error, /) -> Error:
        """Have ``hook(ctx, error)`` called when an attempt has failed, whatever made it fail.

        That is: the handler, a middleware, arguments that do not fit, an entity that is gone, or the
        timeout (a `JobTimeoutError`). Not called for what a handler asks for its own job, when the
        worker leaves, nor for jobs whose worker died. All these hooks of one attempt have 10 seconds
        together, beside the job's timeout. For the rest see `before_job`.
        """
        self.hooks.on_error.append(_checked("on_error", hook, "ctx, error"))
        return hook

    def middleware(self, middleware: Around, /) -> Around:
        """Run every handler inside an ``async def`` of ``ctx`` and ``call_next``; the first is outermost.

        ``await call_next()`` runs the job, and returns what the handler returned or raises what it
        raised. It is called once, and awaited. What the middleware itself returns is ignored, and
        an error that it catches remains the job's error. It may raise: its error is then that of the
        attempt, and `Snooze`, `Retry`, `Cancel` and `Discard` mean what they mean in a handler.

        It runs on the event loop, also for sync handlers, outside the handler's session: what comes
        after ``call_next()`` of a handler with a session comes after the commit, and an error there
        is reported and changes nothing. It counts towards the job's timeout.

        Raises `ConfigurationError` for what is no ``async def`` with these two parameters.

        Example::

            @soniq.middleware
            async def timed(ctx: JobContext, call_next: CallNext) -> None:
                start = time.perf_counter()
                await call_next()
                print(ctx.task, time.perf_counter() - start)
        """
        if not is_async(middleware):
            raise ConfigurationError(
                f"@soniq.middleware takes an async function, not {middleware!r}. Write: async def."
            )
        self.hooks.middleware.append(_checked("middleware", middleware, "ctx, call_next"))
        return middleware

    def before_enqueue(self, hook: Offer, /) -> Offer:
        """Have ``hook(job)`` called for each job that this program enqueues, where it does so.

        It sees a `NewJob`, may add headers to it, and may refuse the job: what it raises comes out of
        ``enqueue``, and nothing is added to the session. It is sync, and must not block. With
        ``enqueue_many`` it is called for each job, before any is added; jobs with the same headers
        share one INSERT. Replayed dead letters and rows that you add yourself do not pass here.

        Raises `ConfigurationError` for what is no plain function of one parameter.

        Example::

            @soniq.before_enqueue
            def trace(job: NewJob) -> None:
                job.headers["request-id"] = request_id.get()
        """
        if is_async(hook):
            raise ConfigurationError(
                f"@soniq.before_enqueue takes a plain function, not {hook!r}: nothing is awaited where "
                "a job is enqueued."
            )
        self.hooks.before_enqueue.append(_checked("before_enqueue", hook, "job"))
        return hook


F = TypeVar("F", bound=Callable[..., Any])


def _checked(kind: str, hook: F, parameters: str) -> F:
    """Return ``hook`` if it can be called with these parameters."""
    expected = f"@soniq.{kind} takes a function with the parameters ({parameters})"
    if not callable(hook):
        raise ConfigurationError(f"{expected}, not {hook!r}.")
    try:
        inspect.signature(hook).bind(*parameters.split(", "))
    except TypeError as error:
        raise ConfigurationError(f"{expected}, and {hook!r} has others: {error}.") from error
    return hook


def is_async(function: object) -> bool:
    """Tell whether calling ``function`` gives a coroutine."""
    call = getattr(function, "__call__", None)  # noqa: B004 - of an object with an async __call__
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)
