"""The plugin ``soniq_sa`` of Alembic's autogenerate; a project switches it on in its ``env.py``.

    context.configure(..., autogenerate_plugins=["alembic.autogenerate.*", "soniq_sa"])

Alembic loads this module while it is half imported itself, in every environment where soniq-sa is
installed. So nothing of Alembic is imported here; the comparison is, when it is first run.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alembic.runtime.plugins import Plugin

_LAST = 10
"""``alembic.util.DispatchPriority.LAST``: the stock comparisons have made their operations by then."""


def setup(plugin: Plugin) -> None:
    """Register the comparison; called by Alembic at import."""
    plugin.add_autogenerate_comparator(
        _compare,
        "schema",
        qualifier="postgresql",
        priority=_LAST,  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    )


def _compare(*arguments: Any) -> Any:
    return importlib.import_module("soniq_sa.alembic.compare").compare(*arguments)


class _PluginModule(ModuleType):
    """This module, also for releases of Alembic, up to 1.20.0, that iterate over what they load (its #1873)."""

    def __iter__(self) -> Iterator[ModuleType]:
        return iter((self,))


sys.modules[__name__].__class__ = _PluginModule
