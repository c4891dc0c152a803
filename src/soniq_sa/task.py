"""Tasks: handlers registered under a name, and the register that an application keeps of them."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Self, TypeVar, Unpack, cast

from sqlalchemy import MetaData
from sqlalchemy.inspection import inspect as inspect_mapped

from soniq_sa.deferred import make_codec
from soniq_sa.errors import OptionError, TaskDefinitionError, UnknownOptionError, did_you_mean
from soniq_sa.handle import JobReader
from soniq_sa.hooks import Hooks
from soniq_sa.models.roles import Models
from soniq_sa.options import (
    DEFAULT_QUEUE,
    EnqueueOptions,
    JobOptions,
    check_known_queue,
    check_mapping,
    check_queue,
    merge_options,
)
from soniq_sa.retrying import Retrying

if TYPE_CHECKING:
    from soniq_sa.codec import Codec

P = ParamSpec("P")
R = TypeVar("R")


class Tasks:
    """The tasks of one application, by name, and what they enqueue into."""

    def __init__(self, metadata: MetaData, queues: Iterable[str]) -> None:
        self.metadata = metadata
        self.hooks = Hooks()
        self.declared_queues = frozenset(map(check_queue, queues))
        self._tasks: list[Task[..., Any]] = []
        self._by_name: dict[str, Task[..., Any]] = {}
        self.reader: JobReader | None = None

    def add(self, task: Task[..., Any]) -> None:
        """Register ``task``; refuse a name, or an earlier name, that another handler has."""
        for name in (task.name, *task.aliases):
            other = self._by_name.setdefault(name, task)
            if other is not task:
                raise TaskDefinitionError(
                    f"Two tasks are named {name!r}: {_place(other)} and {_place(task)}. Give one of "
                    "them a name of its own: @soniq.job(name=...)."
                )
        self._tasks.append(task)

    def get(self, name: str) -> Task[..., Any] | None:
        """Return the task with that name, or that earlier name, if there is one."""
        return self._by_name.get(name)

    def __iter__(self) -> Any:
        return iter(self._tasks)

    @property
    def names(self) -> list[str]:
        """Return the names under which jobs of these tasks are stored, earlier ones too."""
        return list(self._by_name)

    @property
    def queues(self) -> frozenset[str]:
        """Return every queue that is declared or that a task uses by default."""
        used = {task.defaults.queue for task in self._tasks}
        return self.declared_queues | used | {DEFAULT_QUEUE}

    def check_queue(self, name: str) -> str:
        """Return ``name``; refuse an unknown queue if queues are declared, else a near miss."""
        return check_known_queue(name, self.queues, closed=bool(self.declared_queues))

    def check_columns(self, columns: Mapping[str, Any]) -> None:
        """Refuse values for attributes of the job class that are none, or are not the user's own."""
        job = self.models.Job
        ours = job.soniq_columns().keys()
        theirs = [name for name in inspect_mapped(job).columns.keys() if name not in ours]  # noqa: SIM118 - keyed by attribute
        for name in columns:
            if name in ours:
                raise OptionError(
                    f"The column {name!r} is set by soniq-sa. Use the job option for it."
                )
            if name not in theirs:
                known = f" Columns of yours: {', '.join(theirs)}." if theirs else ""
                raise UnknownOptionError(
                    f"{job.__name__} has no column {name!r}.{did_you_mean(name, theirs)}{known}"
                )

    @functools.cached_property
    def models(self) -> Models:
        """Return the mapped classes; raise `TablesMissingError` without ``include_tables``."""
        return Models(self.metadata)


class Task(Generic[P, R]):
    """A handler under a name, made by ``@soniq.job``.

    ``P`` are the handler's parameters and ``R`` is what it returns. A task is called like the
    function it was made from, which runs it here and now, without any job.

    name: The task name, stored in the job row.
    defaults: The options of a job that is enqueued without others.
    retrying: When a failed attempt is repeated, read at run time.
    timeout: Seconds that an attempt may take, read at run time. None: the worker's setting. 0: none.
    aliases: Earlier names, under which jobs may still be stored.
    """

    is_async = False

    def __init__(
        self,
        handler: Callable[P, Any],
        *,
        tasks: Tasks,
        name: str,
        defaults: EnqueueOptions,
        retrying: Retrying,
        timeout: float | None,
        aliases: tuple[str, ...] = (),
    ) -> None:
        self.handler = handler
        self.tasks = tasks
        self.name = name
        self.defaults = defaults
        self.retrying = retrying
        self.timeout = timeout
        self.aliases = aliases
        self._scope = local_scope(handler)
        functools.update_wrapper(cast("Callable[..., Any]", self), handler)

    def options(self, **options: Unpack[JobOptions]) -> Self:
        """Return this task with other options for the jobs that are enqueued through it.

        See `JobOptions`. Raises `OptionError` for a value outside its bounds, `UnknownOptionError`
        and `UnknownQueueError` for a name that is not known.

        Example::

            session.enqueue(send_invoice.options(delay=60, priority=10), order)
        """
        if "queue" in options:
            self.tasks.check_queue(check_queue(options["queue"]))
        if "columns" in options:
            self.tasks.check_columns(check_mapping("columns", options["columns"]))
        changed = copy(self)
        changed.defaults = merge_options(self.defaults, cast("Mapping[str, object]", options))
        return changed

    @functools.cached_property
    def codec(self) -> Codec:
        """Return how the arguments are stored; raise `TaskDefinitionError` if they cannot be.

        Built at the first use, since annotations may name what is defined further down.
        """
        return make_codec(self.handler, self.name, self._scope, is_async=self.is_async)

    def __repr__(self) -> str:
        return f"<Task {self.name}>"


class AsyncTask(Task[P, R]):
    """A task whose handler is a coroutine function."""

    is_async = True

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """Run the handler here and now, without any job."""
        return cast("Coroutine[Any, Any, R]", self.handler(*args, **kwargs))


class SyncTask(Task[P, R]):
    """A task whose handler is a plain function; the worker runs it in a thread."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the handler here and now, without any job."""
        return cast("R", self.handler(*args, **kwargs))


def task_class(handler: Callable[..., Any]) -> type[Task[..., Any]]:
    """Return the kind of task for ``handler``; refuse what is not a plain or coroutine function."""
    if inspect.iscoroutinefunction(handler):
        return AsyncTask
    if not callable(handler) or inspect.isclass(handler):
        raise TaskDefinitionError(f"@soniq.job decorates a function, not {handler!r}.")
    if inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler):
        raise TaskDefinitionError(
            f"@soniq.job: {handler!r} is a generator. Return a value instead."
        )
    return SyncTask


def default_name(handler: Callable[..., Any]) -> str:
    """Return ``module.qualname``; for a program, the name under which a worker would import it."""
    module = handler.__module__
    if module == "__main__":
        main = sys.modules["__main__"]
        spec = getattr(main, "__spec__", None)
        module = spec.name if spec else Path(getattr(main, "__file__", None) or "__main__").stem
    return _plain(f"{module}.{handler.__qualname__}")


def full_name(function: Callable[..., Any]) -> str:
    """Return the module and the qualified name of a function or class, for people."""
    return _plain(f"{function.__module__}.{function.__qualname__}")


def _plain(name: str) -> str:
    return name.replace(".<locals>", "")


def local_scope(handler: Callable[..., Any]) -> dict[str, Any]:
    """Return the names around a handler that was defined inside a function.

    Its annotations may name classes that only that function, or one around it, knows.
    """
    if "<locals>" not in handler.__qualname__:
        return {}
    scope: dict[str, Any] = {}
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_filename == handler.__code__.co_filename:
            scope = {**frame.f_locals, **scope}
        frame = frame.f_back
    return scope


def _place(task: Task[..., Any]) -> str:
    code = task.handler.__code__
    return f"{code.co_filename}:{code.co_firstlineno}"
