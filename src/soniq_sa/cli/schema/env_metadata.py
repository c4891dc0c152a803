"""The ``target_metadata`` of an env.py: whether it is None, and how to set it."""

from __future__ import annotations

import ast

from soniq_sa.cli.schema.env_plugins import assignments, keyword_value
from soniq_sa.cli.schema.env_source import Edit, Source
from soniq_sa.cli.schema.init_metadata import MetadataPlace

KEYWORD = "target_metadata"


def target_values(tree: ast.Module, calls: list[ast.Call]) -> list[ast.expr]:
    """Return what the calls get as ``target_metadata``; of a variable, what it was set to."""
    found: list[ast.expr] = []
    for call in calls:
        value = keyword_value(call, KEYWORD)
        if value is not None:
            value = _origin(tree, value)
            found += [] if any(value is one for one in found) else [value]
    return found


def is_none(value: ast.expr) -> bool:
    """Tell whether ``value`` is a None in the text."""
    return isinstance(value, ast.Constant) and value.value is None


def is_empty_dict(value: ast.expr) -> bool:
    """Tell whether ``value`` is a dictionary of Alembic's template for many databases, unchanged."""
    return isinstance(value, ast.Dict) and not value.keys


def set_metadata(source: Source, nones: list[ast.expr], place: MetadataPlace) -> list[Edit]:
    """Return the edits that import the metadata and put it in place of each None."""
    first, *rest = place.attributes
    known = _imported_as(source.tree, place.module, first)
    name = known or _free_name(source.tree, place)
    edits = [source.replace(none, ".".join([name, *rest])) for none in nones]
    if known is None:
        alias = "" if name == first else f" as {name}"
        text = f"from {place.module} import {first}{alias}"
        edits.append(source.insert_line(_import_line(source.tree, nones[0]), text))
    return edits


def _origin(tree: ast.Module, value: ast.expr) -> ast.expr:
    """Return what the variable in ``value`` was set to, if it was set once."""
    called = value.func if isinstance(value, ast.Call) else None
    if isinstance(called, ast.Attribute) and called.attr == "get":
        value = called.value  # target_metadata.get(name), for many databases
    if isinstance(value, ast.Name):
        found = [one.value for one in assignments(tree, value.id) if one.value is not None]
        return found[0] if len(found) == 1 else value
    return value


def _imported_as(tree: ast.Module, module: str, name: str) -> str | None:
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == module and not node.level:
            for alias in node.names:
                if alias.name == name:
                    return alias.asname or name
    return None


def _free_name(tree: ast.Module, place: MetadataPlace) -> str:
    """Return a name for the import that means nothing else in the file."""
    taken = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    taken |= {
        alias.asname or alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    taken |= {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    name = place.attributes[0]
    while name in taken:
        name = f"{place.module.rpartition('.')[2]}_{name}"
    return name


def _import_line(tree: ast.Module, empty: ast.expr) -> int:
    """Return the line before which the import goes: behind the imports, and behind ``sys.path``."""
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    last = imports[-1].end_lineno if imports else 0
    moves = [node for node in tree.body if node.lineno > (last or 0) and _moves_path(node)]
    if imports and not moves:
        return (last or 0) + 1
    return next(node.lineno for node in tree.body if _encloses(node, empty))


def _moves_path(node: ast.stmt) -> bool:
    return any(
        isinstance(inner, ast.Attribute) and ast.unparse(inner) in {"sys.path", "site.addsitedir"}
        for inner in ast.walk(node)
    )


def _encloses(node: ast.stmt, inner: ast.expr) -> bool:
    return any(one is inner for one in ast.walk(node))
