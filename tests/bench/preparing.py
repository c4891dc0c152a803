"""Puts tables and waiting jobs into an empty database, for soniq-sa and for the rival."""

from __future__ import annotations

from sqlalchemy import create_engine, make_url

from soniq_sa import SoniqSession
from tests.bench.app import Base, noop, payload
from tests.bench.server import analyze


def prepare_tables(url: str) -> None:
    """Create the tables of the application and of soniq-sa."""
    prepare_jobs(url, 0)


def prepare_jobs(url: str, jobs: int) -> None:
    """Create the tables, and enqueue ``jobs`` jobs that do nothing."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    Base.metadata.create_all(engine)
    with SoniqSession(engine) as session, session.begin():
        session.enqueue_many(noop, [payload(number) for number in range(jobs)])
    engine.dispose()
    analyze(url)
