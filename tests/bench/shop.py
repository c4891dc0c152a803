"""What an application stores anyway. Nothing of soniq-sa is imported: the rivals' processes use it too."""

from __future__ import annotations

import time
import uuid
from datetime import datetime
from itertools import count
from typing import Any

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_numbers = count(time.time_ns() << 64)


class Base(DeclarativeBase):
    """The base of the application."""


class Order(Base):
    """What a request writes."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer: Mapped[str]
    total: Mapped[int]


class PlainRow(Base):
    """A row as wide as a job, with nothing of soniq-sa: what one more ORM row costs."""

    __tablename__ = "plain_rows"

    id: Mapped[uuid.UUID] = mapped_column(
        primary_key=True, insert_default=lambda: uuid.UUID(int=next(_numbers))
    )
    task: Mapped[str]
    queue: Mapped[str] = mapped_column(insert_default="default")
    state: Mapped[str] = mapped_column(insert_default="queued")
    priority: Mapped[int] = mapped_column(insert_default=100)
    run_at: Mapped[datetime] = mapped_column(
        TIMESTAMP(timezone=True), server_default=func.now(), index=True
    )
    args: Mapped[dict[str, Any]] = mapped_column(JSONB)
    attempts: Mapped[int] = mapped_column(insert_default=0)
    max_attempts: Mapped[int] = mapped_column(insert_default=4)
    claims: Mapped[int] = mapped_column(insert_default=0)
    crashes: Mapped[int] = mapped_column(insert_default=0)
    created_at: Mapped[datetime] = mapped_column(
        TIMESTAMP(timezone=True), server_default=func.now()
    )


def payload(number: int) -> dict[str, Any]:
    """Return the arguments of every job that does nothing."""
    return {"i": number, "s": "hello-world"}


def order() -> Order:
    """Return what each transaction writes."""
    return Order(customer="someone", total=10)


def plain_row(number: int) -> PlainRow:
    """Return a row with the arguments of a job."""
    return PlainRow(task="noop", args=payload(number))
