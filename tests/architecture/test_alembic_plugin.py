"""Alembic loads our plugin while it is half imported itself."""

import importlib
import subprocess
import sys
from typing import Any

import pytest


def modules_after(statement: str) -> set[str]:
    """Return what a fresh interpreter has loaded after an import."""
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement", ["import alembic", "import alembic.config", "from alembic import op"]
)
def test_alembic_has_the_plugin_and_nothing_dear_of_ours(statement: str) -> None:
    loaded = modules_after(statement)
    ours = {name for name in loaded if name.startswith("soniq_sa")}
    assert ours == {"soniq_sa", "soniq_sa.alembic", "soniq_sa.alembic.plugin"}


def test_the_plugin_loads_nothing_of_alembic() -> None:
    loaded = modules_after("import soniq_sa.alembic.plugin")
    assert not {name for name in loaded if name.partition(".")[0] in {"alembic", "sqlalchemy"}}


def test_releases_of_alembic_that_iterate_over_an_entry_point_find_the_plugin() -> None:
    """Those up to 1.20.0 do; later ones take the module."""
    plugin: Any = importlib.import_module("soniq_sa.alembic.plugin")
    assert [one.setup for one in plugin] == [plugin.setup]


def test_a_worker_process_loads_no_alembic() -> None:
    loaded = modules_after("import soniq_sa.cli.main, soniq_sa.cli.work")
    assert not {name for name in loaded if name.partition(".")[0] in {"alembic", "mako"}}
