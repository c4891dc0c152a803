"""Says types in the words of a reader, for tables: no ``|``, which ends a cell."""

from __future__ import annotations

import ast
import importlib
import inspect
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Union, get_type_hints, is_typeddict

_PLAIN = {
    Any: "anything",
    object: "anything",
    datetime: "aware `datetime`",
    float: "number",
    int: "whole number",
    str: "text",
    type(None): "`None`",
}
_LISTS = {Iterable: "list", Sequence: "list", list: "list", tuple: "tuple"}
_DICTS = (Mapping, dict)


def hints_of(cls: type[Any]) -> dict[str, Any]:
    """Return the types of what a class declares, also those imported for type checkers only."""
    return get_type_hints(cls, localns=_imported_for_checkers(inspect.getmodule(cls)))


def _imported_for_checkers(module: Any) -> dict[str, Any]:
    return {
        alias.asname or alias.name: getattr(
            importlib.import_module(imported.module or ""), alias.name
        )
        for branch in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for imported in branch.body
        if isinstance(imported, ast.ImportFrom)
        for alias in imported.names
    }


def type_words(hint: Any) -> str:
    """Return what a value of a type is: ``float | timedelta | None`` is seconds, a timedelta, or None."""
    found = members(hint)
    words = []
    if timedelta in found and float in found:
        words = ["seconds", "`timedelta`"]
    if bool in found:
        words += ["`True`", "`False`"]
    rest = [one for one in found if one is not bool and not (words and one in {float, timedelta})]
    words += [_one(one, known=found) for one in rest]
    return ", ".join(words[:-1]) + " or " + words[-1] if len(words) > 1 else words[0]


def members(hint: Any) -> list[Any]:
    """Return the types of a union, or the one type."""
    origin = typing.get_origin(hint)
    if origin is Annotated:
        return members(typing.get_args(hint)[0])
    if origin in {Union, types.UnionType}:
        return [one for member in typing.get_args(hint) for one in members(member)]
    return [hint]


def _one(hint: Any, known: list[Any]) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in _PLAIN:
        return _PLAIN[hint]
    if origin is Literal:
        return ", ".join(f"`{value!r}`".replace("'", '"') for value in arguments)
    if origin in _LISTS:
        return f"{_LISTS[origin]} of {_elements(arguments[0], known)}"
    if origin in _DICTS:
        return f"`dict` of {' to '.join(map(type_words, arguments))}"
    return _class(origin or hint, arguments)


def _elements(hint: Any, known: list[Any]) -> str:
    inner = members(hint)
    said_before = len(known) > len(inner) and all(one in known for one in inner)
    return "those" if said_before else type_words(hint)


def _class(named: Any, arguments: tuple[Any, ...]) -> str:
    if named is type:
        (kind,) = arguments
        return "exception class" if kind is BaseException else f"class of {_class(kind, ())}"
    if is_typeddict(named):
        return "`dict`"
    if inspect.isclass(named) and named.__module__.startswith("soniq_sa"):
        return f"[`{named.__name__}`][]"
    return f"`{getattr(named, '__name__', named)}`"
