"""What a handler's signature says: its arguments, its entities, and what the worker supplies."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from sqlalchemy.exc import NoInspectionAvailable
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.inspection import inspect as inspect_mapped
from sqlalchemy.orm import Mapper, Session

from soniq_sa.context import Injected, JobContext, Locked
from soniq_sa.errors import TaskDefinitionError


class Shape(Enum):
    """How many entities one argument holds, and in what."""

    ONE = "one"
    LIST = "list"
    DICT = "dict"


@dataclass(frozen=True, slots=True)
class EntityParameter:
    """An argument that is an ORM instance, or a list or dict of them.

    optional: The whole argument may be None.
    item_optional: An item may be None, and a missing row becomes None.
    """

    name: str
    entity: type[Any]
    shape: Shape
    locked: bool
    optional: bool
    item_optional: bool


class Injection(Enum):
    """What the worker supplies for a parameter."""

    CONTEXT = "context"
    ASYNC_SESSION = "async session"
    SESSION = "session"
    RESOURCE = "resource"


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of one handler, sorted by who supplies them.

    defaults: What the handler takes for arguments that are left out.
    """

    names: tuple[str, ...]
    positional: tuple[str, ...]
    required: frozenset[str]
    defaults: Mapping[str, Any]
    plain: Mapping[str, Any]
    entities: Mapping[str, EntityParameter]
    injected: Mapping[str, Injection]
    resources: Mapping[str, Any]
    positional_only: tuple[str, ...]
    returns: Any


NO_PARAMETERS = Parameters((), (), frozenset(), {}, {}, {}, {}, {}, (), inspect.Signature.empty)


def read_parameters(
    handler: Callable[..., Any], label: str, scope: Mapping[str, Any], *, is_async: bool
) -> Parameters:
    """Read the signature of ``handler``; refuse what cannot be stored or supplied."""
    hints = _hints(handler, label, scope)
    parameters = inspect.signature(handler).parameters.values()
    injected: dict[str, Injection] = {}
    resources: dict[str, Any] = {}
    plain: dict[str, Any] = {}
    entities: dict[str, EntityParameter] = {}
    arguments: list[inspect.Parameter] = []
    for parameter in parameters:
        annotation = hints.get(parameter.name, Any)
        if isinstance(parameter.default, Injected):
            kind = _injection(annotation, parameter.name, label, is_async=is_async)
            injected[parameter.name] = kind
            if kind is Injection.RESOURCE:
                resources[parameter.name] = _resource(annotation, parameter, label)
            continue
        _refuse_variadic(parameter, label)
        _refuse_unmarked(annotation, parameter.name, label)
        arguments.append(parameter)
        entity = _entity_parameter(parameter.name, annotation, label)
        if entity is None:
            plain[parameter.name] = annotation
        else:
            entities[parameter.name] = entity
    return Parameters(
        names=tuple(p.name for p in arguments),
        positional=tuple(p.name for p in arguments if p.kind is not p.KEYWORD_ONLY),
        required=frozenset(p.name for p in arguments if p.default is p.empty),
        defaults={p.name: p.default for p in arguments if p.default is not p.empty},
        plain=plain,
        entities=entities,
        injected=injected,
        resources=resources,
        positional_only=tuple(p.name for p in parameters if p.kind is p.POSITIONAL_ONLY),
        returns=hints.get("return", inspect.Signature.empty),
    )


def _hints(handler: Callable[..., Any], label: str, scope: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return get_type_hints(handler, localns=dict(scope), include_extras=True)
    except NameError as error:
        raise TaskDefinitionError(
            f"Task {label}: the annotation {error.name!r} cannot be resolved. Import it at run time, "
            "not only under TYPE_CHECKING: the worker needs the type to decode the argument."
        ) from error


def _refuse_variadic(parameter: inspect.Parameter, label: str) -> None:
    if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
        raise TaskDefinitionError(
            f"Task {label}: {parameter} cannot be stored, as job arguments are kept by name. "
            f"Take a list or a dict instead."
        )


def _refuse_unmarked(annotation: Any, name: str, label: str) -> None:
    """Refuse to take for an argument what only the worker can supply."""
    kind, _, _ = _unwrap(annotation)
    if isinstance(kind, type) and issubclass(kind, JobContext | AsyncSession | Session):
        raise TaskDefinitionError(
            f"Task {label}: the parameter {name!r} is a {kind.__name__}, which the worker supplies and "
            f"nobody can enqueue. Write: {name}: {kind.__name__} = inject()."
        )


def _injection(annotation: Any, name: str, label: str, *, is_async: bool) -> Injection:
    kind = _bare(annotation)
    if isinstance(kind, type):
        if issubclass(kind, JobContext):
            return Injection.CONTEXT
        if issubclass(kind, AsyncSession) and is_async:
            return Injection.ASYNC_SESSION
        if issubclass(kind, Session) and not is_async:
            return Injection.SESSION
        if issubclass(kind, AsyncSession | Session):
            raise TaskDefinitionError(
                f"Task {label}: parameter {name!r} asks for {kind.__name__}. An async handler takes "
                "an AsyncSession, a sync handler a Session."
            )
    if may_be_resource(kind):
        return Injection.RESOURCE
    raise TaskDefinitionError(
        f"Task {label}: parameter {name!r} asks to be injected as {annotation!r}. "
        "What can be injected: JobContext, AsyncSession, Session, and the types of resources."
    )


def may_be_resource(kind: Any) -> bool:
    """Tell whether handlers may get a resource by this type; whether there is one is not looked at."""
    owner = get_origin(kind) or kind
    if not isinstance(owner, type) or owner.__module__ in _NAMELESS or mapped(owner):
        return False
    return not issubclass(owner, JobContext | AsyncSession | Session)


_NAMELESS = {"builtins", "types", "typing"}
"""Modules whose classes do not say what a value is for; among them those of unions."""


def _resource(annotation: Any, parameter: inspect.Parameter, label: str) -> Any:
    """Return the type of a resource; whether there is one, the worker looks when it starts."""
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise TaskDefinitionError(
            f"Task {label}: the parameter {parameter.name!r} is positional-only, and a resource is "
            "given by name. Put it behind the slash."
        )
    return _bare(annotation)


def _bare(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _entity_parameter(name: str, annotation: Any, label: str) -> EntityParameter | None:
    outer, optional, locked = _unwrap(annotation)
    if mapped(outer):
        return EntityParameter(name, outer, Shape.ONE, locked, optional, optional)
    container = get_origin(outer)
    shape = _CONTAINERS.get(container) if isinstance(container, type) else None
    if shape is not None and (arguments := get_args(outer)):
        item, item_optional, item_locked = _unwrap(arguments[-1])
        if mapped(item) and (shape is Shape.LIST or arguments[0] is str):
            return EntityParameter(
                name, item, shape, locked or item_locked, optional, item_optional
            )
    if mentions_entity(annotation):
        raise TaskDefinitionError(
            f"Task {label}: parameter {name!r} is {annotation!r}. An entity can be an argument as "
            "Order, Order | None, list[Order] or dict[str, Order], each with Annotated[Order, Locked]."
        )
    return None


_CONTAINERS: dict[Any, Shape] = {
    list: Shape.LIST,
    Sequence: Shape.LIST,
    dict: Shape.DICT,
    Mapping: Shape.DICT,
}


def _unwrap(annotation: Any) -> tuple[Any, bool, bool]:
    """Return the type inside ``Annotated`` and ``| None``, whether it is optional, and locked."""
    locked = False
    if get_origin(annotation) is Annotated:
        annotation, *marks = get_args(annotation)
        locked = any(mark is Locked or isinstance(mark, Locked) for mark in marks)
    if get_origin(annotation) in {Union, UnionType}:
        members = [member for member in get_args(annotation) if member is not NoneType]
        if len(members) == 1 and len(get_args(annotation)) > 1:
            inner, _, inner_locked = _unwrap(members[0])
            return inner, True, locked or inner_locked
    return annotation, False, locked


def mentions_entity(annotation: Any) -> bool:
    """Tell whether a mapped class is anywhere in ``annotation``."""
    if get_origin(annotation) is Literal:
        return False
    return mapped(annotation) or any(mentions_entity(part) for part in get_args(annotation))


def mapped(candidate: Any) -> bool:
    """Tell whether ``candidate`` is a class that SQLAlchemy maps."""
    if not isinstance(candidate, type):
        return False
    try:
        return isinstance(inspect_mapped(candidate), Mapper)
    except NoInspectionAvailable:
        return False
