"""The tables of the tests: what handlers load and write, and the tables of soniq-sa."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from soniq_sa.models import include_tables


class Base(DeclarativeBase):
    """The application's base."""


class Order(Base):
    """A row with a number to count up."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    total: Mapped[int] = mapped_column(default=0)


class Seat(Base):
    """A row with a composite key."""

    __tablename__ = "seats"
    row: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    taken_by: Mapped[str | None]


class Person(Base):
    """The parent of a joined inheritance."""

    __tablename__ = "people"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}  # noqa: RUF012
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]


class Employee(Person):
    """The child of a joined inheritance."""

    __tablename__ = "employees"
    __mapper_args__ = {"polymorphic_identity": "employee"}  # noqa: RUF012
    id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    desk: Mapped[str]


class Effect(Base):
    """What a handler leaves behind: one row for each committed run."""

    __tablename__ = "effects"
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[UUID | None]
    note: Mapped[str | None]


class Receipt(Base):
    """A row of which there can be only one for each number."""

    __tablename__ = "receipts"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(unique=True)


include_tables(Base.metadata)
