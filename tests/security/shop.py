"""A shop whose job table has columns of its own, in a schema of its own: for the roles of the database."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import Computed, ForeignKey, Identity, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from soniq_sa import Soniq
from soniq_sa.models import JobMixin, include_tables, job_fk

SCHEMA = "Shop work"


class Base(DeclarativeBase):
    """The shop's base."""


class Tenant(Base):
    """Whom a job belongs to."""

    __tablename__ = "tenants"
    id: Mapped[int] = mapped_column(primary_key=True)


class Order(Base):
    """What jobs are about."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)


class Job(JobMixin, Base):
    """The shop's jobs."""

    __tablename__ = "shop_jobs"
    __table_args__ = {"schema": SCHEMA}  # noqa: RUF012 - SQLAlchemy's own way to say it
    tenant_id: Mapped[int | None] = mapped_column(ForeignKey("tenants.id"))
    serial: Mapped[int] = mapped_column(Identity(always=True))
    doubled: Mapped[int | None] = mapped_column(Computed("priority * 2", persisted=True))
    region: Mapped[str] = mapped_column(Text, server_default="here")


class Report(Base):
    """A row of the shop that refers to a job."""

    __tablename__ = "reports"
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[uuid.UUID | None] = mapped_column(job_fk(Job.id, ondelete="RESTRICT"))


include_tables(Base.metadata, schema=SCHEMA, prefix="shop_")


def make_app(**where: Any) -> Soniq:
    """Return the application, with its tasks, on a database."""
    app = Soniq(Base.metadata, **where)

    @app.job(name="ship")
    async def ship(order: Order, copies: int = 1) -> None:
        """Need an entity, so a session."""

    @app.job(name="greet", retries=0)
    async def greet(name: str) -> str:
        if not name:
            raise ValueError("nobody")
        return f"hello, {name}"

    return app


soniq = make_app()
