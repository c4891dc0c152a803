"""Writes signatures as they stand in the source, one parameter a line where they are long."""

from __future__ import annotations

import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any, Union

_WIDTH = 92
_PUBLIC = {"Application": "Soniq", "AsyncTask": "Task", "SyncTask": "Task"}
"""The public classes of those in our annotations that are not."""
_NAME = re.compile(r"(?<![\w.\"'])([A-Za-z_]\w*)(?![\w.\"'])")


def signatures(name: str, function: Callable[..., Any]) -> str:
    """Return the signature of a function or method, or of all its overloads; as a fenced block."""
    plain = inspect.unwrap(function)
    variants = typing.get_overloads(plain) or [plain]
    word = "async def" if inspect.iscoroutinefunction(plain) else "def"
    return fenced("\n".join(f"{word} {_signature(name, one)}" for one in variants))


def constructor(cls: type[Any]) -> str:
    """Return how objects of a class are made; as a fenced block."""
    return fenced(f"class {_signature(cls.__name__, cls.__init__, returns=False)}")


def attribute(name: str, found: property) -> str:
    """Return a property with its type; as a fenced block."""
    getter = found.fget
    assert getter is not None
    return fenced(f"{name}: {annotation_text(getter.__annotations__['return'], getter)}")


def fenced(code: str) -> str:
    """Return a fenced block of Python."""
    return f"```python\n{code}\n```"


def annotation_text(annotation: Any, owner: Callable[..., Any]) -> str:
    """Return an annotation as it was written, with our names for other types spelt out."""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    text = text.replace("'", '"')
    scope = vars(sys.modules[owner.__module__])

    def spelt_out(found: re.Match[str]) -> str:
        alias = scope.get(found[1])
        is_alias = typing.get_origin(alias) is not None
        return code_of(alias) if is_alias else _PUBLIC.get(found[1], found[1])

    return _NAME.sub(spelt_out, text)


def code_of(hint: Any) -> str:
    """Return a type as code, without the modules of its names."""
    if typing.get_origin(hint) in {Union, types.UnionType}:
        return " | ".join(map(code_of, typing.get_args(hint)))
    if hint is type(None):
        return "None"
    return re.sub(r"\b[a-z_]\w*\.", "", inspect.formatannotation(hint)).replace("'", '"')


def _signature(name: str, function: Callable[..., Any], *, returns: bool = True) -> str:
    signature = inspect.signature(function)
    parameters = [one for one in signature.parameters.values() if one.name not in {"self", "cls"}]
    texts = list(_parameters(parameters, function))
    answer = signature.return_annotation
    end = ""
    if returns and answer is not inspect.Signature.empty:
        end = f" -> {annotation_text(answer, function)}"
    line = f"{name}({', '.join(texts)}){end}"
    if len(line) <= _WIDTH:
        return line
    return "\n".join([f"{name}(", *(f"    {text}," for text in texts), f"){end}"])


def _parameters(parameters: list[inspect.Parameter], function: Callable[..., Any]) -> Iterator[str]:
    positional_only = [one for one in parameters if one.kind is one.POSITIONAL_ONLY]
    starred = False
    for one in parameters:
        if one.kind is one.KEYWORD_ONLY and not starred:
            starred = True
            yield "*"
        starred = starred or one.kind is one.VAR_POSITIONAL
        yield _parameter(one, function)
        if positional_only and one is positional_only[-1]:
            yield "/"


def _parameter(one: inspect.Parameter, function: Callable[..., Any]) -> str:
    stars = {one.VAR_POSITIONAL: "*", one.VAR_KEYWORD: "**"}.get(one.kind, "")
    text = f"{stars}{one.name}"
    if one.annotation is not one.empty:
        text += f": {annotation_text(one.annotation, function)}"
    if one.default is not one.empty:
        default = str(one.default) if isinstance(one.default, str) else repr(one.default)
        shown = f'"{default}"' if isinstance(one.default, str) else default
        text += f" = {shown}" if one.annotation is not one.empty else f"={shown}"
    return text
