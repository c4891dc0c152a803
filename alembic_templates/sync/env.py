"""Run migrations of the metadata that ``metadata`` in alembic.ini names."""

import importlib
import os
from logging.config import fileConfig

from alembic import context
from sqlalchemy import URL, MetaData, create_engine, make_url

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
    """Return the URL in DATABASE_URL, else that in alembic.ini, for psycopg."""
    url = os.environ.get("DATABASE_URL") or config.get_main_option("sqlalchemy.url")
    if not url:
        raise SystemExit("Set DATABASE_URL, or sqlalchemy.url in alembic.ini.")
    return make_url(url).set(drivername="postgresql+psycopg")


metadata = find_metadata()
has_schemas = any(table.schema for table in metadata.tables.values())

if context.is_offline_mode():
    context.configure(url=find_url(), target_metadata=metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    with create_engine(find_url()).connect() as connection:
        context.configure(
            connection=connection, target_metadata=metadata, include_schemas=has_schemas
        )
        with context.begin_transaction():
            context.run_migrations()
