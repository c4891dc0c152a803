"""The plugins that an env.py gives to ``context.configure``, and what is missing there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from soniq_sa.cli.schema.env_source import Edit, Source

KEYWORD = "autogenerate_plugins"
PLUGIN = "soniq_sa"
LIST = '["alembic.autogenerate.*", "soniq_sa"]'


@dataclass(frozen=True, slots=True)
class ByHand:
    """A place that a program cannot edit safely, and what to do there."""

    line: int
    text: str


def configure_calls(tree: ast.Module) -> list[ast.Call]:
    """Return the calls of Alembic's ``context.configure``, under whatever name it was imported."""
    names = set(_configure_names(tree))
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in names
    ]


def add_plugin(source: Source, call: ast.Call) -> list[Edit] | ByHand:
    """Return the edits that switch the plugin on in ``call``; none if it is on."""
    value = keyword_value(call, KEYWORD)
    if value is None:
        return _add_keyword(source, call)
    if isinstance(value, ast.Constant) and value.value is None:
        return [source.replace(value, LIST)]
    if isinstance(value, ast.List | ast.Tuple):
        return [] if _holds_plugin(value) else source.append(value, value.elts, f'"{PLUGIN}"')
    return _follow(source, value)


def keyword_value(call: ast.Call, name: str) -> ast.expr | None:
    """Return what ``call`` gets as ``name``."""
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def assignments(tree: ast.Module, name: str) -> list[ast.Assign | ast.AnnAssign]:
    """Return the assignments to ``name``, at whatever depth."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and any(isinstance(one, ast.Name) and one.id == name for one in _targets(node))
    ]


def _configure_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            for alias in node.names:
                yield from _names_after(f"{module}{alias.name}", alias.asname, bare=not module)


def _names_after(imported: str, asname: str | None, *, bare: bool) -> Iterator[str]:
    """Yield the name that ``configure`` has after an import."""
    wanted = "alembic.context.configure"
    if bare and asname is None and imported.partition(".")[0] == "alembic":
        yield wanted  # import alembic.config binds alembic
    elif f"{wanted}.".startswith(f"{imported}."):
        yield (asname or imported.rpartition(".")[2]) + wanted.removeprefix(imported)


def _add_keyword(source: Source, call: ast.Call) -> list[Edit] | ByHand:
    unpacks = any(keyword.arg is None for keyword in call.keywords)
    elsewhere = list(_values_elsewhere(source.tree)) if unpacks else []
    if not elsewhere:
        return source.append(call, [*call.args, *call.keywords], f"{KEYWORD}={LIST}")
    if all(_holds_plugin(value) for value in elsewhere):
        return []
    value = next(value for value in elsewhere if not _holds_plugin(value))
    return ByHand(value.lineno, f'{KEYWORD} is {ast.unparse(value)}: add "{PLUGIN}" to it')


def _values_elsewhere(tree: ast.Module) -> Iterator[ast.expr]:
    """Yield the plugins in the dictionaries that a call may unpack."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == KEYWORD:
                    yield value
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "dict":
            given = keyword_value(node, KEYWORD)
            yield from [] if given is None else [given]
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if (
                    isinstance(target, ast.Subscript)
                    and ast.unparse(target.slice) == f"'{KEYWORD}'"
                ):
                    yield node.value


def _follow(source: Source, value: ast.expr) -> list[Edit] | ByHand:
    """Look at what a variable was set to: a program does not edit it, but sees what it holds."""
    found = assignments(source.tree, value.id) if isinstance(value, ast.Name) else []
    if found and all(one.value is not None and _holds_plugin(one.value) for one in found):
        return []
    line = found[-1].lineno if found else value.lineno
    shown = f"{ast.unparse(value)} ({ast.unparse(found[-1])})" if found else ast.unparse(value)
    return ByHand(line, f'{KEYWORD} is {shown}: see that it holds "{PLUGIN}"')


def _holds_plugin(value: ast.expr) -> bool:
    elements = value.elts if isinstance(value, ast.List | ast.Tuple) else []
    return any(isinstance(one, ast.Constant) and one.value in {PLUGIN, "*"} for one in elements)


def _targets(node: ast.Assign | ast.AnnAssign) -> list[ast.expr]:
    return node.targets if isinstance(node, ast.Assign) else [node.target]
