"""Whether what is said of a task elsewhere fits the task, where both are in one program."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from soniq_sa.signature import Parameters

if TYPE_CHECKING:
    from soniq_sa.codec import Codec


def stub_differs(stub: Codec, task: Codec) -> str | None:
    """Tell how a stub differs from the task, if it does: in names, in types, or in the result."""
    said, true = stub.parameters, task.parameters
    if differs := _names_differ(said, true, said.required):
        return differs
    for name in said.names:
        if _kind(said, name) != _kind(true, name):
            mine, yours = _shown(said, name), _shown(true, name)
            return f"the argument {name!r} is {mine}, and in the task {yours}"
    known = inspect.Signature.empty not in {said.returns, true.returns}
    if known and stub.result.kind != task.result.kind:
        return f"it returns {stub.result.kind!r}, and the task returns {task.result.kind!r}"
    return None


def model_differs(model: Codec, task: Codec) -> str | None:
    """Tell which arguments a model lacks, or has beside those of the task; types may be narrower."""
    return _names_differ(model.parameters, task.parameters, frozenset(model.parameters.names))


def _names_differ(said: Parameters, true: Parameters, sent: frozenset[str]) -> str | None:
    for name in said.names:
        if name not in true.names:
            return f"the task has no argument {name!r}"
    for name in true.names:
        if name in true.required and name not in sent:
            return f"the task needs the argument {name!r}"
    return None


def _kind(parameters: Parameters, name: str) -> Any:
    """Return the type of an argument, without what only the one who runs the task decides."""
    if entity := parameters.entities.get(name):
        return entity.shape, entity.entity, entity.optional, entity.item_optional
    annotation = parameters.plain[name]
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _shown(parameters: Parameters, name: str) -> str:
    if entity := parameters.entities.get(name):
        return f"{entity.shape.value} {entity.entity.__name__}{' or None' * entity.optional}"
    return repr(_kind(parameters, name))
