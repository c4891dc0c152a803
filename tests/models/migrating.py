"""A migration as ``alembic revision --autogenerate`` writes it, with the plugin, made and run at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import alembic.autogenerate
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Engine, MetaData
from sqlalchemy.dialects import postgresql

PLUGIN = ["alembic.autogenerate.*", "soniq_sa"]
WITHOUT_PLUGIN = ["alembic.autogenerate.*"]


class Migration:
    """What differs between the database and a metadata, and the bodies of the two functions."""

    def __init__(self, engine: Engine, metadata: MetaData, plugins: list[str]) -> None:
        self._engine = engine
        with _context(engine, plugins) as context:
            script = alembic.autogenerate.produce_migrations(context, metadata)
            assert script.upgrade_ops is not None
            self.differences = [str(one[1]) for one in script.upgrade_ops.as_diffs()]
            self.up = _render(context, script.upgrade_ops)
            self.down = _render(context, script.downgrade_ops)

    def upgrade(self) -> None:
        """Run the migration."""
        self._run(self.up)

    def downgrade(self) -> None:
        """Take the migration back."""
        self._run(self.down)

    def _run(self, body: str) -> None:
        with _context(self._engine, PLUGIN) as context, context.begin_transaction():
            names = {"op": Operations(context), "sa": sa, "postgresql": postgresql}
            exec(f"if True:\n    {body}", names)  # noqa: S102 - a migration is code


def migrate(engine: Engine, metadata: MetaData, plugins: list[str] = PLUGIN) -> Migration:
    """Bring the database to ``metadata``, and check that nothing is left to do."""
    made = Migration(engine, metadata, plugins)
    made.upgrade()
    left = Migration(engine, metadata, plugins)
    assert left.differences == []
    assert "op." not in left.up + left.down
    return made


@contextmanager
def _context(engine: Engine, plugins: list[str]) -> Iterator[MigrationContext]:
    with engine.connect() as connection:
        yield MigrationContext.configure(
            connection,
            opts={
                "autogenerate_plugins": plugins,
                "compare_server_default": True,
                "include_schemas": True,
            },
        )


def _render(context: MigrationContext, operations: Any) -> str:
    return str(alembic.autogenerate.render_python_code(operations, migration_context=context))
