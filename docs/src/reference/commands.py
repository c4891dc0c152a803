"""The command line, read from the commands themselves; no application is imported."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer
from soniq_sa.cli import exits
from soniq_sa.cli.main import commands
from typer.models import ParameterInfo

from docs.src.reference.docstring import as_markdown, read_docstring
from docs.src.reference.options import split_default, table
from docs.src.reference.type_words import members, type_words

_SETTING = re.compile(r" *\[env: (\w+)\]")


def exit_codes() -> str:
    """Return what the exit codes mean."""
    meanings = read_docstring(exits).entries
    return table(
        ["code", "meaning"], [[f"{getattr(exits, name)}", text] for name, text in meanings.items()]
    )


def command_sections() -> str:
    """Return a section for each command, and one below it for each of its own commands."""
    return "\n\n".join(_sections("soniq-sa", typer.main.get_command(commands), 1))


@dataclass(frozen=True)
class _Option:
    """What stands on the command line; an argument has no dashes."""

    names: str
    takes: str
    default: str
    setting: str
    meaning: str

    @property
    def row(self) -> list[str]:
        """Return the cells of its row."""
        return [self.names, self.takes, self.default, self.setting, self.meaning]


def _sections(path: str, command: Any, level: int) -> Iterator[str]:
    below = _commands_below(command)
    shared = _shared(below) if level > 1 else []
    if level > 1:
        yield from _head(path, command, level, shared)
    for name, one in below.items():
        if _commands_below(one):
            yield from _sections(f"{path} {name}", one, level + 1)
        else:
            yield from _head(f"{path} {name}", one, level + 1, _own(one, shared))


def _head(path: str, command: Any, level: int, options: list[_Option]) -> Iterator[str]:
    yield f"{'#' * level} {path}"
    if not _commands_below(command):
        yield f"```text\n{' '.join([path, *_usage(command)])}\n```"
    for paragraph in (command.help or "").split("\n\n"):
        yield as_markdown(paragraph)
    if options:
        if _commands_below(command):
            yield "Options of each of these commands:"
        yield table(["option", "takes", "default", "setting", "meaning"], [o.row for o in options])


def _commands_below(command: Any) -> dict[str, Any]:
    if not hasattr(command, "list_commands"):
        return {}
    names = command.list_commands(None)
    return {name: command.get_command(None, name) for name in names}


def _shared(below: dict[str, Any]) -> list[_Option]:
    first, *others = [_own(command, []) for command in below.values()] or [[]]
    return [option for option in first if others and all(option in one for one in others)]


def _own(command: Any, shared: list[_Option]) -> list[_Option]:
    types = {
        name: parameter.annotation
        for name, parameter in inspect.signature(
            inspect.unwrap(command.callback), eval_str=True
        ).parameters.items()
    }
    shown = [
        one for one in command.params if one.name in types and not getattr(one, "hidden", False)
    ]
    found = [_option(one, types[one.name]) for one in shown]
    return [one for one in found if one not in shared]


def _usage(command: Any) -> Iterator[str]:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    for one in arguments:
        name = one.metavar or one.name.upper()
        yield (name if one.required else f"[{name}]") + ("..." if one.nargs == -1 else "")
    for one in command.params:
        if one not in arguments and one.required:
            yield f"{one.opts[0]} {one.name.upper()}"
    yield "[OPTIONS]"


def _option(parameter: Any, annotation: Any) -> _Option:
    info = _info(annotation)
    setting = _SETTING.search(parameter.help or "")
    default, meaning = split_default(as_markdown(_SETTING.sub("", parameter.help or "")))
    names = [*parameter.opts, *parameter.secondary_opts]
    if parameter.param_type_name == "argument":
        names = [parameter.metavar or parameter.name.upper()]
    return _Option(
        names=", ".join(f"`{name}`" for name in names),
        takes="" if getattr(parameter, "is_flag", False) else _takes(annotation, info),
        default=default or _default(parameter, info),
        setting=f"`{setting[1] if setting else parameter.envvar}`"
        if setting or parameter.envvar
        else "",
        meaning=meaning,
    )


def _info(annotation: Any) -> ParameterInfo:
    return next(one for one in get_args(annotation) if isinstance(one, ParameterInfo))


def _takes(annotation: Any, info: ParameterInfo) -> str:
    kind = get_args(annotation)[0]
    (kind,) = [one for one in members(kind) if one is not type(None)]
    if get_origin(kind) is list:
        (kind,) = get_args(kind)
    if get_origin(kind) is Literal:
        return ", ".join(f"`{one}`" for one in get_args(kind))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return ", ".join(f"`{one.value}`" for one in kind)
    words = "path" if kind is Path else type_words(kind)
    return words if info.min is None else f"{words}, {info.min} or more"


def _default(parameter: Any, info: ParameterInfo) -> str:
    if isinstance(info.show_default, str):
        return info.show_default
    value = parameter.default
    if isinstance(value, Enum):
        return f"`{value.value}`"
    if parameter.required:
        return "required"
    return "" if value is None or value is False else f"`{value}`"
