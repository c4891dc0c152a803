"""Run the shop's migrations, through the shop's own engine."""

import asyncio
from logging.config import fileConfig

from alembic import context
from sqlalchemy.engine import Connection

from shop.database import engine
from shop.models import Base


def run_offline() -> None:
    """Print the statements instead of running them."""
    context.configure(url=engine.url, target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


async def run_online() -> None:
    """Run the statements in one transaction."""
    async with engine.connect() as connection:
        await connection.run_sync(run_with)
    await engine.dispose()


def run_with(connection: Connection) -> None:
    """Run the statements on a connection."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        autogenerate_plugins=["alembic.autogenerate.*", "soniq_sa"],
    )
    with context.begin_transaction():
        context.run_migrations()


if context.config.config_file_name is not None:
    fileConfig(context.config.config_file_name)
if context.is_offline_mode():
    run_offline()
else:
    asyncio.run(run_online())
