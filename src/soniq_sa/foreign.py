"""Tasks whose handlers are in another program, or are found by name when a job is enqueued."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, Self, TypeVar, Unpack, cast, overload

from soniq_sa.agreement import model_differs, stub_differs
from soniq_sa.deferred import check_model, make_codec, make_model_codec, make_open_codec
from soniq_sa.errors import TaskDefinitionError
from soniq_sa.functions import local_scope, place
from soniq_sa.options import (
    DEFAULT_PRIORITY,
    DEFAULT_QUEUE,
    DEFAULT_RETRIES,
    EnqueueOptions,
    JobOptions,
    check_task_name,
)
from soniq_sa.task import Task, TaskRef, Tasks

if TYPE_CHECKING:
    from pydantic import BaseModel

    from soniq_sa.codec import Codec

P = ParamSpec("P")
R = TypeVar("R")

_DEFAULTS = EnqueueOptions(
    queue=DEFAULT_QUEUE, priority=DEFAULT_PRIORITY, max_attempts=DEFAULT_RETRIES + 1
)


class TaskName(Protocol[P]):
    """The name of a task, any ``str``, where a task is taken.

    Said by a method of ``str`` that takes whatever it is given: beside ``TaskRef[P, R]``, plain ``str``
    leaves ``P`` open, which pyright reports, and with overloads mypy would not name a wrong argument.
    """

    def format(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Do what `str.format` does."""
        ...


class NamedTask(TaskRef[P, R]):
    """A task that is known by its name, with or without a word on its arguments.

    changes: The options that were given, by the names of `EnqueueOptions`. Where the task itself is
        registered they change its defaults.
    differs: Tells how what is said of the arguments differs from the task. None: nothing is said.
    source: Where it was said, for people.
    """

    def __init__(
        self,
        tasks: Tasks,
        name: str,
        make: Callable[[], Codec],
        differs: Callable[[Codec, Codec], str | None] | None = None,
        source: str = "",
    ) -> None:
        super().__init__(name, tasks, _DEFAULTS, make)
        self.changes: Mapping[str, Any] = {}
        self.differs = differs
        self.source = source
        self.resolved: TaskRef[P, R] | None = None

    def _with(self, changes: Mapping[str, Any]) -> Self:
        changed = super()._with(changes)
        changed.changes = {**self.changes, **changes}
        changed.resolved = None
        return changed

    def resolve(self) -> TaskRef[P, R]:
        """Return what a job is made by; raise `UnknownTaskError` if nothing tells the arguments.

        A task that is registered here gives its defaults and its present name; and its arguments,
        unless this tells them. Then they have to agree, else it is a `TaskDefinitionError`.
        """
        if self.resolved is not None:
            return self.resolved
        known = self.tasks.known(self.name)
        if isinstance(known, Task):
            self.resolved = self._standing_for(known)
            return self.resolved
        if self.differs is not None:
            return self
        if known is not None:
            return self._standing_for(known)
        self.tasks.allow_unknown(self.name)
        return self

    def _standing_for(self, task: TaskRef[..., Any]) -> TaskRef[P, R]:
        if self.differs and (differs := self.differs(self.codec, task.codec)):
            raise TaskDefinitionError(
                f"{self.source} does not fit the task that is registered here: {differs}. Change one of "
                "them."
            )
        found = copy(self if self.differs else task)
        found.name = task.name
        found.defaults = replace(task.defaults, **self.changes)
        return cast("TaskRef[P, R]", found)

    def __repr__(self) -> str:
        return f"<TaskRef {self.source or self.name}>"


class StubDecorator:
    """What ``@soniq.stub(...)`` returns: it turns a signature into a reference to a task."""

    def __init__(self, make: Callable[[Callable[..., Any]], Any]) -> None:
        self._make = make

    @overload
    def __call__(self, function: Callable[P, Awaitable[R]], /) -> TaskRef[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> TaskRef[P, R]: ...
    def __call__(self, function: Callable[..., Any], /) -> Any:
        """Take the signature of ``function``."""
        return self._make(function)


class Referring:
    """The ways to enqueue for a task whose handler is not here."""

    tasks: Tasks

    @overload
    def ref(
        self, name: str, model: Callable[P, BaseModel], /, **options: Unpack[JobOptions]
    ) -> TaskRef[P, Any]: ...
    @overload
    def ref(self, name: str, /, **options: Unpack[JobOptions]) -> TaskRef[..., Any]: ...
    def ref(
        self, name: str, model: Callable[..., Any] | None = None, /, **options: Unpack[JobOptions]
    ) -> TaskRef[..., Any]:
        """Return a task by its name, to enqueue for it without its handler's code.

        name: The task name, or an earlier name of a task that is registered here.
        model: A pydantic model whose fields are the arguments, given by name. The job holds what the
            model makes of them, its defaults included.
        options: Options of the jobs, as in ``task.options``. What is not given here is as in the task
            if that is registered here, else the general default.

        Without a model the arguments are those of the task, or the stub, that has the name here when
        a job is enqueued, wherever it is defined. If there is none, ``Soniq(..., unknown_tasks=...)``
        decides: ``"strict"`` (the default) raises `UnknownTaskError`, ``"warn"`` issues an
        `UnknownTaskWarning`, and ``"none"`` is silent; the arguments are then any JSON values, given
        by name. With a model that differs from the task of that name here, enqueueing raises
        `TaskDefinitionError`.

        Example::

            class InvoiceArgs(BaseModel):
                order_id: int

            send_invoice = soniq.ref("billing.send_invoice", InvoiceArgs, queue="billing")
            session.enqueue(send_invoice, order_id=3)
        """
        label = check_task_name(name)
        if model is None:
            made = _named(self.tasks, label, lambda: make_open_codec(label))
        else:
            checked = check_model(model, f"The model of soniq.ref({name!r}, ...)")
            make = functools.partial(make_model_codec, checked, label)
            source = f"soniq.ref({name!r}, {checked.__name__})"
            made = _named(self.tasks, label, make, model_differs, source)
        return made.options(**options)

    def stub(self, *, name: str, **options: Unpack[JobOptions]) -> StubDecorator:
        """Declare a task of another program by its signature: ``@soniq.stub(name="billing.send")``.

        name: The task name. One stub for a name.
        options: As in `ref`.

        The function is never called. Its parameters and its return annotation are those of the task,
        and may be all that those of a handler may be, entities too. Results are read by them. A task
        of that name may be registered here as well; if its signature differs, a worker does not start
        and enqueueing raises, with `TaskDefinitionError`.

        Example::

            @soniq.stub(name="billing.send_invoice", queue="billing")
            async def send_invoice(order: Order, *, copy: bool = False) -> str:
                raise NotImplementedError
        """
        label = check_task_name(name)

        def register(function: Callable[..., Any]) -> TaskRef[..., Any]:
            stub = _stub(self.tasks, label, function).options(**options)
            functools.update_wrapper(cast("Callable[..., Any]", stub), function)
            self.tasks.add_stub(stub)
            return stub

        return StubDecorator(register)


def _stub(tasks: Tasks, name: str, function: Callable[..., Any]) -> TaskRef[..., Any]:
    if not inspect.isfunction(function):
        raise TaskDefinitionError(f"@soniq.stub decorates a function, not {function!r}.")
    make = functools.partial(
        make_codec,
        function,
        name,
        local_scope(function),
        is_async=inspect.iscoroutinefunction(function),
    )
    return _named(tasks, name, make, stub_differs, f"The stub {name} in {place(function)}")


_named: type[NamedTask[..., Any]] = NamedTask
