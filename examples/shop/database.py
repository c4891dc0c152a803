"""The connection to the database. Sessions of `Session` can enqueue jobs."""

import os

from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from soniq_sa import AsyncSoniqSession

url = make_url(os.environ.get("DATABASE_URL") or os.environ["SONIQ_SA_DATABASE_URL"])
engine = create_async_engine(url.set(drivername="postgresql+asyncpg"), pool_size=20)
Session = async_sessionmaker(engine, class_=AsyncSoniqSession)
