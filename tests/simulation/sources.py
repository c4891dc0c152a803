"""What every seed shares: the statements, built and compiled once, not by each of thousands of workers."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any
from unittest import mock

from soniq_sa import link
from soniq_sa.deferred import load_settings
from soniq_sa.runtime import (
    claimer,
    departure,
    handler,
    handlers,
    heart,
    progress,
    prune,
    recorder,
    schema,
    upkeep,
)
from tests.simulation.catalogue import Catalogue
from tests.simulation.shop import SHOP

RETENTION = SHOP.soniq.tasks.retention(load_settings().retention)
KNOWN = Catalogue(SHOP.soniq.models, RETENTION, SHOP.engine.dialect)
MODULES = (
    claimer,
    departure,
    handler,
    handlers,
    heart,
    progress,
    prune,
    recorder,
    schema,
    upkeep,
)

_built: dict[tuple[str, str], Any] = {}
_compiled: dict[int, link.Compiled] = {}
_compile = link.Compiled


def _once(build: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that builds a statement once: the models and the retention are the same."""

    @functools.wraps(build)
    def built(*_args: Any, **options: Any) -> Any:
        key = build.__qualname__, repr(options)
        if key not in _built:
            _built[key] = build(*_args, **options)
        return _built[key]

    return built


def _compile_once(statement: Any, engine: Any) -> link.Compiled:
    if id(statement) not in _compiled:
        _compiled[id(statement)] = _compile(statement, engine)
    return _compiled[id(statement)]


def _builders(module: ModuleType) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, value in vars(module).items():
        ours = inspect.isfunction(value) and value.__module__.startswith("soniq_sa.statements.")
        if ours and "models" in inspect.signature(value).parameters:
            yield name, value


REPLACED = [(module, name, _once(one)) for module in MODULES for name, one in _builders(module)]


@contextmanager
def built_once() -> Iterator[None]:
    """Have the statements of all workers built and compiled once."""
    with ExitStack() as stack:
        for module, name, one in REPLACED:
            stack.enter_context(mock.patch.object(module, name, one))
        stack.enter_context(mock.patch.object(link, "Compiled", _compile_once))
        yield
