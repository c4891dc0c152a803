"""The tables of the tests: jobs with columns of the user, and a row that refers to its job."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import BigInteger, Computed, Identity, LargeBinary, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from soniq_sa.models import JobMixin, include_tables, job_fk


class Base(DeclarativeBase):
    """The application's base."""


class Job(JobMixin, Base):
    """The jobs, with columns of every kind that a replay has to bear."""

    tenant_id: Mapped[int | None]
    customer: Mapped[str | None] = mapped_column("customer name", Text)
    trail: Mapped[Any] = mapped_column(JSONB, nullable=True)
    blob: Mapped[bytes | None] = mapped_column(LargeBinary)
    words: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    required: Mapped[str] = mapped_column(server_default="by the server", default="by Python")
    serial: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    queue_length: Mapped[int | None] = mapped_column(Computed("length(queue)", persisted=True))


class Report(Base):
    """A row that knows its job."""

    __tablename__ = "reports"
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[uuid.UUID | None] = mapped_column(job_fk())


include_tables(Base.metadata)
