"""The public surface is exactly what `__all__` says, and each name explains itself."""

import ast
import importlib
import inspect
from types import FunctionType, ModuleType

import pytest

import soniq_sa
import soniq_sa.models
import soniq_sa.observability
from soniq_sa import errors

PUBLIC = [soniq_sa, soniq_sa.models, soniq_sa.observability]

NAMES = {
    "AsyncSoniqSession",
    "AuditFinding",
    "AuditReport",
    "AuditResult",
    "CallNext",
    "Cancel",
    "DeadLetter",
    "DeadLetterFilters",
    "DeadLetterStats",
    "DeadLetters",
    "Discard",
    "EnqueueMixin",
    "JobContext",
    "JobHandle",
    "JobOptions",
    "JobRecord",
    "JobState",
    "Locked",
    "NewJob",
    "Priority",
    "Progress",
    "ReplayOptions",
    "Retry",
    "RetryPolicy",
    "Snooze",
    "Soniq",
    "SoniqSession",
    "Task",
    "TaskOptions",
    "TaskRef",
    "Worker",
    "enqueue",
    "enqueue_many",
    "inject",
}
ERRORS = {
    name
    for name, value in vars(errors).items()
    if inspect.isclass(value) and value.__module__ == errors.__name__
}
MODEL_NAMES = {
    "AttemptMixin",
    "IncludedTables",
    "JobMixin",
    "ProgressMixin",
    "WorkerMixin",
    "include_tables",
    "job_fk",
}


DOCUMENTED = (FunctionType, classmethod, staticmethod, property)


def test_the_package_exports_its_names_and_every_error() -> None:
    assert set(soniq_sa.__all__) == NAMES | ERRORS


def test_the_models_export_their_names() -> None:
    assert set(soniq_sa.models.__all__) == MODEL_NAMES


def test_the_observability_exports_its_names() -> None:
    assert soniq_sa.observability.__all__ == ["PrometheusMetrics"]


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.__name__)
def test_all_is_exact_and_sorted(module: ModuleType) -> None:
    imported = {
        alias.asname or alias.name
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("soniq_sa")
        for alias in node.names
    }
    assert module.__all__ == sorted(imported)
    assert set(module.__all__) <= set(dir(module))


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.__name__)
def test_each_name_is_found_where_its_module_attribute_says(module: ModuleType) -> None:
    for name in module.__all__:
        public = getattr(module, name)
        home = importlib.import_module(public.__module__)
        assert home.__name__.startswith("soniq_sa")
        assert getattr(home, name) is public


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.__name__)
def test_each_public_object_has_a_docstring(module: ModuleType) -> None:
    silent = [
        path
        for name in module.__all__
        for path, member in _members(name, getattr(module, name))
        if not inspect.getdoc(member)
    ]
    assert not silent


def _members(name: str, public: object) -> list[tuple[str, object]]:
    """Return a public object and, of a class, the public members that are not SQLAlchemy's."""
    classes = public.__mro__ if inspect.isclass(public) else ()
    return [(name, public)] + [
        (f"{name}.{attribute}", member)
        for cls in classes
        if cls.__module__.startswith("soniq_sa")
        for attribute, member in vars(cls).items()
        if not attribute.startswith("_") and isinstance(member, DOCUMENTED)
    ]
