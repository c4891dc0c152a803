"""Tasks: what jobs are enqueued through, handlers under a name, and an application's register of them."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Coroutine, Iterable, Mapping
from copy import copy
from dataclasses import replace
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    Literal,
    ParamSpec,
    Self,
    TypeVar,
    Unpack,
    cast,
    get_args,
)

from sqlalchemy import MetaData
from sqlalchemy.inspection import inspect as inspect_mapped

from soniq_sa.deferred import load_settings, make_codec
from soniq_sa.errors import (
    OptionError,
    TaskDefinitionError,
    UnknownOptionError,
    UnknownTaskError,
    UnknownTaskWarning,
)
from soniq_sa.functions import local_scope, outer_frames, place
from soniq_sa.handle import JobReader
from soniq_sa.hooks import Hooks
from soniq_sa.models.roles import Models
from soniq_sa.options import (
    DEFAULT_QUEUE,
    EnqueueOptions,
    JobOptions,
    check_known_queue,
    check_mapping,
    check_options,
    check_queue,
)
from soniq_sa.redaction import Redaction
from soniq_sa.retention import Retention, Spans
from soniq_sa.retrying import Retrying
from soniq_sa.suggestions import did_you_mean

if TYPE_CHECKING:
    from pydantic import BaseModel

    from soniq_sa.codec import Codec

UnknownTasks = Literal["strict", "warn", "none"]
P = ParamSpec("P")
R = TypeVar("R")


class Tasks:
    """The tasks of one application, by name, and what they enqueue into."""

    def __init__(
        self,
        metadata: MetaData,
        queues: Iterable[str],
        unknown: UnknownTasks = "strict",
        redact: Iterable[str] = (),
    ) -> None:
        if unknown not in get_args(UnknownTasks):
            raise OptionError(f"unknown_tasks={unknown!r}: it takes 'strict', 'warn' or 'none'.")
        self.metadata = metadata
        self.redaction = Redaction(redact)
        self._unknown = unknown
        self.hooks = Hooks()
        self.declared_queues = frozenset(map(check_queue, queues))
        self._tasks: list[Task[..., Any]] = []
        self._by_name: dict[str, Task[..., Any]] = {}
        self._stubs: dict[str, TaskRef[..., Any]] = {}
        self.reader: JobReader | None = None

    def add(self, task: Task[..., Any]) -> None:
        """Register ``task``; refuse a name, or an earlier name, that another handler has."""
        for name in (task.name, *task.aliases):
            other = self._by_name.setdefault(name, task)
            if other is not task:
                raise TaskDefinitionError(
                    f"Two tasks are named {name!r}: {place(other.handler)} and {place(task.handler)}. Give one of "
                    "them a name of its own: @soniq.job(name=...)."
                )
        self._tasks.append(task)

    def get(self, name: str) -> Task[..., Any] | None:
        """Return the task with that name, or that earlier name, if there is one."""
        return self._by_name.get(name)

    def add_stub(self, stub: TaskRef[..., Any]) -> None:
        """Note ``stub``; refuse a second one of that name."""
        if self._stubs.setdefault(stub.name, stub) is not stub:
            raise TaskDefinitionError(
                f"Two stubs are named {stub.name!r}, and this is the second: {stub!r}. Keep one of "
                "them, and import it from there."
            )

    def check_stubs(self) -> None:
        """Raise `TaskDefinitionError` for a stub that differs from the task of its name."""
        for stub in self._stubs.values():
            stub.resolve()

    def known(self, name: str) -> TaskRef[..., Any] | None:
        """Return the task with that name, or that earlier name, else its stub, if there is one."""
        return self._by_name.get(name) or self._stubs.get(name)

    def allow_unknown(self, name: str) -> None:
        """Refuse, warn of, or accept a name that nothing here declares, as the application wants."""
        if self._unknown == "none":
            return
        known = [*self._by_name, *self._stubs]
        message = (
            f"Nothing here declares the task {name!r}.{did_you_mean(name, known)} If another program "
            "has it, declare its arguments with soniq.ref(name, Model) or @soniq.stub"
        )
        if self._unknown == "strict":
            raise UnknownTaskError(f'{message}; Soniq(..., unknown_tasks="none") takes any name.')
        text = f"{message}. The job is stored, and waits for a worker that has the task."
        warnings.warn(text, UnknownTaskWarning, stacklevel=outer_frames())

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

    def retention(self, defaults: Spans | None = None) -> Retention:
        """Return how long jobs are kept; the default for ``defaults`` are the settings."""
        by_task = {name: task.retention for name, task in self._by_name.items() if task.retention}
        return Retention(self._default_retention if defaults is None else defaults, by_task)

    @functools.cached_property
    def _default_retention(self) -> Spans:
        return load_settings().retention


class TaskRef(Generic[P, R]):
    """A task by its name, which is all that it takes to enqueue; see ``soniq.ref`` and ``soniq.stub``.

    ``P`` are the arguments and ``R`` is the result. A `Task` is one that has its handler here.

    name: The task name, stored in the job row.
    defaults: The options of a job that is enqueued without others.
    """

    def __init__(
        self, name: str, tasks: Tasks, defaults: EnqueueOptions, make_codec: Callable[[], Codec]
    ) -> None:
        self.name = name
        self.tasks = tasks
        self.defaults = defaults
        self._make_codec = functools.cache(make_codec)  # the copies with other options share it

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
        return self._with(check_options(cast("Mapping[str, object]", options)))

    def _with(self, changes: Mapping[str, Any]) -> Self:
        changed = copy(self)
        changed.defaults = replace(self.defaults, **changes)
        return changed

    def resolve(self) -> TaskRef[P, R]:
        """Return what a job is made by: for what is known by its name alone, the task of that name."""
        return self

    @functools.cached_property
    def codec(self) -> Codec:
        """Return how the arguments are stored; raise `TaskDefinitionError` if they cannot be.

        Built at the first use, since annotations may name what is defined further down.
        """
        return self._make_codec().redact_by(self.tasks.redaction)


class Task(TaskRef[P, R]):
    """A handler under a name, made by ``@soniq.job``.

    ``P`` are the handler's parameters and ``R`` is what it returns. A task is called like the
    function it was made from, which runs it here and now, without any job.

    retrying: When a failed attempt is repeated, read at run time.
    timeout: Seconds that an attempt may take, read at run time. None: the worker's setting. 0: none.
    retention: Seconds for which jobs are kept that ended in a state, where the task says so.
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
        retention: Spans,
        aliases: tuple[str, ...] = (),
        args_model: type[BaseModel] | None = None,
    ) -> None:
        make = functools.partial(
            make_codec,
            handler,
            name,
            local_scope(handler),
            is_async=self.is_async,
            model=args_model,
        )
        super().__init__(name, tasks, defaults, make)
        self.handler = handler
        self.retrying = retrying
        self.timeout = timeout
        self.retention = retention
        self.aliases = aliases
        functools.update_wrapper(cast("Callable[..., Any]", self), handler)

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
    if isinstance(handler, TaskRef):
        raise TaskDefinitionError(f"@soniq.job: {handler!r} is a task already. Decorate once.")
    if not callable(handler) or inspect.isclass(handler):
        raise TaskDefinitionError(f"@soniq.job decorates a function, not {handler!r}.")
    if inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler):
        raise TaskDefinitionError(
            f"@soniq.job: {handler!r} is a generator. Return a value instead."
        )
    return SyncTask
