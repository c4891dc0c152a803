"""What the source must not have: code from data, and SQL text with values in it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from sqlalchemy import MetaData

from soniq_sa.cli.grants.roles import GrantRole
from soniq_sa.cli.grants.script import Script
from soniq_sa.models import include_tables
from soniq_sa.models.roles import Models
from soniq_sa.models.wake_trigger import WakeTrigger
from tests.architecture.source import SOURCE, Module, modules

CODE_FROM_DATA = {
    "cPickle", "cloudpickle", "dill", "joblib", "jsonpickle", "marshal", "pickle", "shelve", "yaml",
}  # fmt: skip
CALLS = {"__import__", "compile", "eval", "exec", "loads", "load_module", "import_module"}
EXPLAINED_CALLS = {
    "__init__.py importlib.import_module": "the home of a public name, from a constant",
    "alembic/plugin.py importlib.import_module": "a constant: our own module",
    "cli/loading.py import_module": "the module that --app or SONIQ_SA_APP names",
    "cli/schema/init_metadata.py import_module": "the module that --metadata names",
    "cli/guard/hearing.py json.loads": "JSON",
    "cli/guard/worker_end.py json.loads": "JSON",
    "codec.py json.loads": "JSON",
    "dead_letters/letter.py json.loads": "JSON",
    "hooks.py json.loads": "JSON",
    "json_text.py json.loads": "JSON",
    "reading.py json.loads": "JSON",
    "redaction.py json.loads": "JSON",
    "runtime/jobs.py json.loads": "JSON",
    "cli/importing.py importlib.import_module": "what these two are given",
    "cli/main.py importlib.import_module": "one of the commands in _MODULES",
    "deferred.py importlib.import_module": "constants: our own modules",
}
"""Each place that turns text into values or modules, and what the text is."""

SQL = {"DDL", "exec_driver_sql", "execute", "fetchval", "literal_column", "text"}
ENUMS = {"AttemptOutcome", "JobState", "Reason"}
EXPLAINED_SQL = {
    "cli/schema/history.py:_find_history": "the name of Alembic's table, in quotes if it needs them",
    "models/creation.py:_execute": "the trigger's statements, whose names are in quotes",
    "models/mixins.py:_column": "the server default of a column, a constant there",
    "models/mixins.py:_partial_index": "the predicate of an index, a constant there",
    "statements/finish.py:to_be_committed": "a number of ours, without decimals",
    "statements/prune.py:_has_ended": "a state, of the enum",
    "statements/rows.py:state_is": "a state, of the enum",
    "statements/retention.py:_interval": "a float, written with six decimals",
    "statements/retention.py:_quoted": "a task name of this program: no quote is let through",
}
"""Each place where SQL text is made with something else than our constants, and what it is."""


def test_nothing_imports_what_makes_code_of_data() -> None:
    found = {
        f"{module.name}: {name}"
        for module in modules()
        for node in ast.walk(module.tree)
        for name in _imported(node)
        if name.partition(".")[0] in CODE_FROM_DATA
    }
    assert not found


def test_each_call_that_makes_values_of_text_is_explained() -> None:
    found = {
        f"{module.name} {ast.unparse(node.func)}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and _called(node) in CALLS
    }
    found = {one for one in found if not one.endswith(".compile")}  # of patterns and statements
    assert found == EXPLAINED_CALLS.keys()


def test_no_sql_text_is_made_of_values() -> None:
    found = {place for module in modules() for place in _made_sql(module)}
    assert found == EXPLAINED_SQL.keys()


def test_the_scan_sees_what_it_is_for() -> None:
    wrong = ast.parse(
        "def f(a):\n text(f'SELECT {a}')\n text('x' + a)\n text('%s' % a)\n text('{}'.format(a))\n"
        " text(a)\n c.execute(f'x {a}')\n literal_column(f\"'{JobState.DONE}'\")\n text('fine')"
    )
    calls = [one for one in ast.walk(wrong) if isinstance(one, ast.Call) and _called(one) in SQL]
    assert [_is_made(one) for one in calls].count(True) == 6
    assert [_is_made(one) for one in calls].count(False) == 2


def _made_sql(module: Module) -> Iterator[str]:
    for name, function in module.functions():
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and _called(node) in SQL and _is_made(node):
                yield f"{module.name}:{name}"


def _is_made(call: ast.Call) -> bool:
    """Tell whether the first argument is text that is put together, or that comes from elsewhere."""
    if not call.args:
        return False
    first = call.args[0]
    if _called(call) in {"execute", "fetchval"}:  # takes statements as well, which are no text
        return isinstance(first, ast.JoinedStr | ast.BinOp) or _is_format(first)
    return not _is_constant(first)


def _is_constant(node: ast.expr) -> bool:
    match node:
        case ast.Constant():
            return True
        case ast.JoinedStr():
            return all(map(_is_constant, node.values))
        case ast.FormattedValue():
            return _is_ours(node.value)
        case ast.Call(func=ast.Name(id="str"), args=[inner]):
            return _is_ours(inner)
        case _:
            return _is_ours(node)


def _is_ours(node: ast.expr) -> bool:
    """Tell whether something is a member of an enum of ours, or a constant by its name."""
    match node:
        case ast.Attribute(value=ast.Name(id=name)):
            return name in ENUMS
        case ast.Name(id=name):
            return name.lstrip("_").isupper()
        case _:
            return False


def _is_format(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and _called(node) == "format"


def _called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else ast.unparse(function)


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [one.name for one in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


@pytest.mark.parametrize("notify", ["after_commit", "trigger"])
def test_no_statement_of_ours_lends_the_rights_of_its_owner(notify: str) -> None:
    metadata = MetaData()
    include_tables(metadata, notify=notify)  # type: ignore[arg-type]
    models = Models(metadata)
    trigger = WakeTrigger.of(models.jobs, None)
    made = [trigger.create_function, trigger.create_trigger]
    for statement in [*made, *Script(models, "soniq").statements(GrantRole)]:
        assert "SECURITY DEFINER" not in statement.upper()
        assert "SUPERUSER" not in statement.upper()
        assert "BYPASSRLS" not in statement.upper()
    assert not [
        one for one in SOURCE.rglob("*.py") if "security definer" in one.read_text().lower()
    ]
