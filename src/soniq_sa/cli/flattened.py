"""Options that several commands share, written once: a dataclass whose fields are options."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints


def flattened(function: Callable[..., None]) -> Callable[..., None]:
    """Return ``function`` with an option for each field of the dataclasses that it takes."""
    kinds = {
        name: kind
        for name, kind in get_type_hints(function, include_extras=True).items()
        if isinstance(kind, type) and is_dataclass(kind)
    }

    def command(**given: Any) -> None:
        for name, kind in kinds.items():
            given[name] = kind(**{one.name: given.pop(one.name) for one in fields(kind)})
        function(**given)

    signature = inspect.signature(function, eval_str=True)
    command.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=list(_parameters(signature, kinds))
    )
    command.__name__, command.__doc__ = function.__name__, function.__doc__
    return command


def _parameters(
    signature: inspect.Signature, kinds: dict[str, type[Any]]
) -> Iterator[inspect.Parameter]:
    for name, parameter in signature.parameters.items():
        if name not in kinds:
            yield parameter
            continue
        hints = get_type_hints(kinds[name], include_extras=True)
        for one in fields(kinds[name]):
            yield inspect.Parameter(
                one.name, parameter.KEYWORD_ONLY, default=one.default, annotation=hints[one.name]
            )
