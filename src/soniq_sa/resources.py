"""What a worker opens before its first job and closes after its last: clients, pools, models.

A resource is known by the type that it provides. A handler gets it by asking for that type, or for a
class above it: ``client: Client = inject()``.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from copy import copy
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from soniq_sa.errors import ConfigurationError, TaskDefinitionError
from soniq_sa.functions import full_name, local_scope
from soniq_sa.signature import may_be_resource
from soniq_sa.task import Task

AnyManager = AbstractAsyncContextManager[Any] | AbstractContextManager[Any]
Source = TypeVar("Source", bound=Callable[[], AsyncIterator[Any] | Iterator[Any] | AnyManager])


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """A registered resource.

    name: Module and qualified name of what makes it, for people.
    provides: The type that handlers get it by.
    make: Returns a context manager, which is entered once in each worker.
    """

    name: str
    provides: Any
    make: Callable[[], AnyManager]


class Resources:
    """The resources of one application, in the order of registration."""

    def __init__(self) -> None:
        self._resources: list[Resource] = []

    def add(self, resource: Resource) -> None:
        """Register ``resource``; refuse a second one of the same type."""
        for other in self._resources:
            if other.provides == resource.provides:
                raise ConfigurationError(
                    f"Two resources provide {shown(resource.provides)}: {other.name} and "
                    f"{resource.name}. Have one of them yield a class of its own."
                )
        self._resources.append(resource)

    def check(self, tasks: Iterable[Task[..., Any]]) -> None:
        """Raise `TaskDefinitionError` for a task that asks for what no resource provides."""
        for task in tasks:
            self._wanted(task)

    def fill(self, task: Task[..., Any], values: Mapping[Resource, Any]) -> Task[..., Any]:
        """Return ``task`` with a handler that has the resources it asks for; else as it is."""
        wanted = self._wanted(task)
        if not wanted:
            return task
        filled = copy(task)
        given = {name: values[resource] for name, resource in wanted.items()}
        filled.handler = functools.partial(task.handler, **given)
        return filled

    def _wanted(self, task: Task[..., Any]) -> dict[str, Resource]:
        asked = task.codec.parameters.resources
        return {name: self._find(kind, name, task.name) for name, kind in asked.items()}

    def _find(self, kind: Any, name: str, label: str) -> Resource:
        fitting = [one for one in self if one.provides == kind] or [
            one for one in self if _is_kind_of(one.provides, kind)
        ]
        if len(fitting) == 1:
            return fitting[0]
        asks = f"Task {label}: parameter {name!r} asks to be injected as {shown(kind)}"
        if fitting:
            several = " and ".join(f"{shown(one.provides)} ({one.name})" for one in fitting)
            raise TaskDefinitionError(f"{asks}, and that may be {several}. Ask for one of these.")
        known = ", ".join(shown(one.provides) for one in self) or "none are registered"
        raise TaskDefinitionError(
            f"{asks}. What can be injected: JobContext, AsyncSession, Session, and the types of the "
            f"resources: {known}. Register it with @soniq.resource, in a module that the worker imports."
        )

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._resources)


class ResourceDecorator:
    """The decorator with which an application registers its resources."""

    resources: Resources

    def resource(self, source: Source, /) -> Source:
        """Register what a worker opens at its start and closes at its end.

        source: A function without parameters: an async or sync generator function that yields once,
            annotated ``-> AsyncIterator[Client]`` or ``-> Iterator[Client]``; or any function that
            returns a context manager, annotated with it; or the class of a context manager that
            provides itself. What is sync runs in a thread.

        All are opened before the worker's first claim, in the order of registration, and closed in
        the opposite order after its last handler has ended. If one cannot be opened, those before it
        are closed, and the worker does not start: `ResourceError`. An error at closing is reported as
        `ResourceFailed`. Every handler of the worker shares the same value, and sync handlers in
        several threads at a time. What is registered after a worker's start is for the next one.

        Raises `ConfigurationError` if the type cannot be told, or another resource has it.

        Example::

            @soniq.resource
            async def client() -> AsyncIterator[Client]:
                async with Client(timeout=5) as opened:
                    yield opened


            @soniq.job
            async def fetch(url: str, *, client: Client = inject()) -> None: ...
        """
        self.resources.add(make_resource(source))
        return source


def make_resource(source: Callable[[], Any]) -> Resource:
    """Return the resource that ``source`` makes; refuse what cannot be one."""
    if not (inspect.isfunction(source) or inspect.ismethod(source) or inspect.isclass(source)):
        raise ConfigurationError(
            f"@soniq.resource takes a function that makes a context manager, not {source!r}."
        )
    name = full_name(source)
    _refuse_parameters(source, name)
    make: Callable[[], Any] = source
    if inspect.isasyncgenfunction(source):
        make = asynccontextmanager(source)
    elif inspect.isgeneratorfunction(source):
        make = contextmanager(source)
    return Resource(name, _provided(source, name), make)


def _refuse_parameters(source: Callable[..., Any], name: str) -> None:
    try:
        inspect.signature(source).bind()
    except ValueError:
        return  # a class made in C, which tells nothing
    except TypeError as error:
        raise ConfigurationError(
            f"The resource {name} is called without arguments: {error}. Write a function around it."
        ) from error


def _provided(source: Callable[..., Any], name: str) -> Any:
    """Return the type of what is yielded, by the annotation."""
    if isinstance(source, type):
        if _is_manager(source):
            return source
        raise ConfigurationError(f"The resource {name} is a class that is no context manager.")
    returned = _returned(source, name)
    origin, parts = get_origin(returned), get_args(returned)
    if origin in _HOLDERS and parts:
        returned = parts[0]
    elif not _is_manager(returned):
        raise ConfigurationError(
            f"The resource {name} does not tell what it provides. Annotate it, for example "
            "-> AsyncIterator[Client]."
        )
    provided = get_args(returned)[0] if get_origin(returned) is Annotated else returned
    if not may_be_resource(provided):
        raise ConfigurationError(
            f"The resource {name} provides {shown(provided)}, and handlers get a resource by its "
            "type. Yield an instance of a class that says what it is, such as a dataclass of yours."
        )
    return provided


_HOLDERS = {
    AsyncIterator,
    AsyncIterable,
    AsyncGenerator,
    Iterator,
    Iterable,
    Generator,
    AbstractAsyncContextManager,
    AbstractContextManager,
}


def _returned(source: Callable[..., Any], name: str) -> Any:
    try:
        hints = get_type_hints(
            source, localns=local_scope(inspect.unwrap(source)), include_extras=True
        )
    except NameError as error:
        raise ConfigurationError(
            f"The resource {name}: the annotation {error.name!r} cannot be resolved. Import it at run "
            "time, not only under TYPE_CHECKING."
        ) from error
    return hints.get("return")


def _is_manager(kind: Any) -> bool:
    return isinstance(kind, type) and (hasattr(kind, "__aenter__") or hasattr(kind, "__enter__"))


def _is_kind_of(provided: Any, wanted: Any) -> bool:
    """Tell whether ``provided`` is ``wanted`` or a class below it; parameters of both must agree."""
    if get_args(provided) and get_args(wanted):
        return bool(provided == wanted)
    kind: type[Any] = get_origin(provided) or provided
    return (get_origin(wanted) or wanted) in kind.__mro__


def shown(kind: Any) -> str:
    """Return a type as people write it."""
    return kind.__qualname__ if isinstance(kind, type) and not get_args(kind) else repr(kind)
