"""Finds the `Soniq` of an application from ``module:attribute``."""

from __future__ import annotations

import importlib.util
from types import ModuleType

from soniq_sa.app import Soniq
from soniq_sa.cli.importing import import_module, look_here_first
from soniq_sa.errors import AppNotFoundError
from soniq_sa.suggestions import did_you_mean

_USUAL_MODULES = ("app", "main", "jobs")


def load_app(path: str | None) -> Soniq:
    """Return the `Soniq` at ``path``; without one, that of a module ``app``, ``main`` or ``jobs``.

    The working directory comes first on the import path. Raises `AppNotFoundError`, which says what
    was tried.
    """
    here = look_here_first()
    return _load(path) if path else _look_around(here)


def _load(path: str) -> Soniq:
    name, _, attribute = path.partition(":")
    if not name or path.count(":") > 1:
        raise AppNotFoundError(
            f"--app {path!r} has another form than module:attribute, as shop.jobs:soniq."
        )
    module = _import(name, path)
    if not attribute:
        return _only_app(module, path)
    found = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise AppNotFoundError(
                f"--app {path!r}: the module {name!r} ({_file(module)}) has no {attribute!r}."
                f"{did_you_mean(attribute, _apps_in(module) or vars(module))}"
            )
        found = getattr(found, part)
    if not isinstance(found, Soniq):
        raise AppNotFoundError(
            f"--app {path!r} is a {type(found).__name__}, not a Soniq.{_apps_hint(name, module)}"
        )
    return found


def _import(name: str, path: str) -> ModuleType:
    return import_module(name, f"--app {path!r}", AppNotFoundError)


def _only_app(module: ModuleType, path: str) -> Soniq:
    names = _apps_in(module)
    if len(names) == 1:
        app: Soniq = getattr(module, names[0])
        return app
    raise AppNotFoundError(
        f"--app {path!r} names no attribute, and the module has {len(names)} objects of class Soniq."
        f"{_apps_hint(module.__name__, module)} Write --app module:attribute."
    )


def _look_around(here: str) -> Soniq:
    tried = []
    for name in _USUAL_MODULES:
        if importlib.util.find_spec(name) is None:
            tried.append(f"{name} (no such module)")
            continue
        module = _import(name, name)
        if names := _apps_in(module):
            app: Soniq = getattr(module, names[0])
            return app
        tried.append(f"{name} (no Soniq in {_file(module)})")
    raise AppNotFoundError(
        f"No application is given. Tried in {here}: {', '.join(tried)}. Say where it is: "
        "--app module:attribute, SONIQ_SA_APP, or app in [tool.soniq-sa] of pyproject.toml."
    )


def _apps_in(module: ModuleType) -> list[str]:
    return [name for name, value in vars(module).items() if isinstance(value, Soniq)]


def _apps_hint(name: str, module: ModuleType) -> str:
    names = [f"{name}:{one}" for one in _apps_in(module)]
    return f" Found there: {', '.join(names)}." if names else ""


def _file(module: ModuleType) -> str:
    return getattr(module, "__file__", None) or "a namespace package"
