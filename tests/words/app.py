"""An application without a database of its own, and tasks made from an annotation."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import DeclarativeBase, Session

from soniq_sa import JobHandle, Soniq, Task, enqueue
from soniq_sa.models import include_tables


class Base(DeclarativeBase):
    """The application's base."""


include_tables(Base.metadata)


def make_soniq(**options: Any) -> Soniq:
    """Return an application with no tasks yet."""
    return Soniq(Base.metadata, **options)


def task_taking(annotation: Any) -> Task[..., Any]:
    """Return a task with one argument, ``value``, of the given type."""

    def handler(value: Any) -> None:
        del value

    handler.__annotations__ = {"value": annotation}
    return make_soniq().job(name="taking")(handler)


def offer(task: Task[..., Any], *args: Any, **kwargs: Any) -> JobHandle[Any]:
    """Enqueue into a session that has no database: what is refused, is refused without one."""
    return enqueue(Session(), task, *args, **kwargs)


def back(handle: JobHandle[Any], task: Task[..., Any]) -> dict[str, Any]:
    """Return the arguments as the worker would read them."""
    return task.codec.decode(json.dumps(handle.row.args))


def nested(depth: int, wrap: Callable[[Any], Any] = lambda inner: [inner]) -> Any:
    """Return a value inside that many lists."""
    value: Any = 1
    for _ in range(depth):
        value = wrap(value)
    return value
