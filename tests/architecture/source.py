"""The library's own source, parsed once for the tests in this folder."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "soniq_sa"

Function = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTION_NODES = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Module:
    """One file of the library."""

    name: str
    lines: int
    tree: ast.Module

    def functions(self) -> Iterator[tuple[str, Function]]:
        """Yield every function with its dotted name, methods and inner functions too."""
        yield from _functions(self.tree, "")


def modules() -> list[Module]:
    """Parse every file of the library."""
    return [_parse(path) for path in sorted(SOURCE.rglob("*.py"))]


def _parse(path: Path) -> Module:
    text = path.read_text(encoding="utf-8")
    return Module(path.relative_to(SOURCE).as_posix(), len(text.splitlines()), ast.parse(text))


def _functions(parent: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, FUNCTION_NODES):
            yield prefix + node.name, node
        inner = (
            f"{prefix}{node.name}." if isinstance(node, (*FUNCTION_NODES, ast.ClassDef)) else prefix
        )
        yield from _functions(node, inner)
