"""Run the migrations of this project, on asyncpg.

alembic.ini, or [tool.alembic] in pyproject.toml, says where the models are (``metadata``) and which
database is meant (``sqlalchemy.url``). The environment variable DATABASE_URL comes first.
"""

import asyncio
import importlib
import os
from logging.config import fileConfig
from typing import Any

from alembic import context
from alembic.util import CommandError
from sqlalchemy import URL, MetaData, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

config = context.config
if config.config_file_name and config.file_config.has_section("loggers"):
    fileConfig(config.config_file_name, disable_existing_loggers=False)


def find_metadata() -> MetaData:
    """Import what ``metadata = module:attribute`` says."""
    place = config.get_alembic_option("metadata") or ""
    module, _, path = place.partition(":")
    if not module or not path:
        raise CommandError(
            f"Alembic's configuration has metadata = {place!r}. Write where the metadata of your "
            "models is, as models:Base.metadata, into [alembic] of alembic.ini or [tool.alembic] "
            "of pyproject.toml."
        )
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not error.name or not f"{module}.".startswith(f"{error.name}."):
            raise  # the module is there, and what it imports is not
        raise CommandError(
            f"metadata = {place}: there is no module {error.name!r}. Correct the name, or add the "
            "folder that it is in to prepend_sys_path."
        ) from error
    for name in path.split("."):
        if not hasattr(found, name):
            raise CommandError(f"metadata = {place}: {found!r} has no {name!r}.")
        found = getattr(found, name)
    if not isinstance(found, MetaData):
        hint = f" Write {place}.metadata." if hasattr(found, "metadata") else ""
        raise CommandError(f"metadata = {place} is {found!r}, which is no MetaData.{hint}")
    return found


def find_url() -> URL:
    """Return the URL in DATABASE_URL, else in ``sqlalchemy.url``, for asyncpg."""
    form = "as postgresql://user:password@host:5432/database"
    text = os.environ.get("DATABASE_URL") or config.get_alembic_option("sqlalchemy.url")
    if not text:
        raise CommandError(
            "No database is given. Set the environment variable DATABASE_URL, or sqlalchemy.url in "
            f"alembic.ini, {form}."
        )
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise CommandError(f"The database URL cannot be read. Write it {form}.") from error
    if url.get_backend_name() not in {"postgres", "postgresql"}:
        raise CommandError(
            f"The database URL {url.render_as_string()!r} is not for PostgreSQL. Write it {form}."
        )
    query = dict(url.query)
    if "sslmode" in query:  # libpq's name, which hosts of databases write into their URLs
        query.setdefault("ssl", query.pop("sslmode"))
    return url.set(drivername="postgresql+asyncpg", query=query)


metadata = find_metadata()
schemas = {table.schema for table in metadata.tables.values()} | {None}


def is_ours(name: str | None, kind: str, _parents: Any) -> bool:
    """Leave schemas of other programs alone."""
    return kind != "schema" or name in schemas


def migrate(**where: Any) -> None:
    """Run the migrations, each in a transaction of its own."""
    context.configure(
        **where,
        target_metadata=metadata,
        autogenerate_plugins=["alembic.autogenerate.*", "soniq_sa"],
        include_schemas=schemas != {None},
        include_name=is_ours,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def migrate_online() -> None:
    """Connect, and run the migrations."""
    engine = create_async_engine(find_url(), poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(lambda sync: migrate(connection=sync))


if context.is_offline_mode():
    migrate(dialect_name="postgresql", literal_binds=True, dialect_opts={"paramstyle": "named"})
else:
    asyncio.run(migrate_online())
