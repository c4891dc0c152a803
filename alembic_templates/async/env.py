"""Run migrations of the metadata that ``metadata`` in alembic.ini names."""

import asyncio
import importlib
import os
from logging.config import fileConfig

from alembic import context
from sqlalchemy import URL, Connection, MetaData, make_url
from sqlalchemy.ext.asyncio import create_async_engine

config = context.config
if config.config_file_name is not None:
    fileConfig(config.config_file_name, disable_existing_loggers=False)


def find_metadata() -> MetaData:
    """Import what ``metadata = module:attribute`` says."""
    module, _, path = config.get_main_option("metadata", "").partition(":")
    found = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    return found


def find_url() -> URL:
    """Return the URL in DATABASE_URL, else that in alembic.ini, for asyncpg."""
    url = os.environ.get("DATABASE_URL") or config.get_main_option("sqlalchemy.url")
    if not url:
        raise SystemExit("Set DATABASE_URL, or sqlalchemy.url in alembic.ini.")
    return make_url(url).set(drivername="postgresql+asyncpg")


metadata = find_metadata()
has_schemas = any(table.schema for table in metadata.tables.values())


def migrate(connection: Connection) -> None:
    """Run the migrations in one transaction."""
    context.configure(connection=connection, target_metadata=metadata, include_schemas=has_schemas)
    with context.begin_transaction():
        context.run_migrations()


async def migrate_online() -> None:
    """Connect, and run the migrations."""
    engine = create_async_engine(find_url())
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


if context.is_offline_mode():
    context.configure(url=find_url(), target_metadata=metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    asyncio.run(migrate_online())
