"""The tables of these tests: every kind of key an entity can have, and a row that refers to its job."""

from __future__ import annotations

import uuid

from sqlalchemy import ForeignKey, Integer, Text, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from soniq_sa.models import JobMixin, include_tables, job_fk


class Base(DeclarativeBase):
    """The application's base."""


class Order(Base):
    """A key made by the database; its mapper is sorted behind that of the jobs."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    note: Mapped[str] = mapped_column(default="")


class Early(Base):
    """The same, but sorted before the jobs, by the path of its class."""

    __module__ = "a_module_that_comes_first"
    __tablename__ = "earlies"
    id = mapped_column(Integer, primary_key=True)
    note = mapped_column(Text, default="")


class Seat(Base):
    """A composite key, given by the user."""

    __tablename__ = "seats"
    row: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)


class Ticket(Base):
    """A composite key of which one half is another row's."""

    __tablename__ = "tickets"
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    order: Mapped[Order] = relationship()


class Token(Base):
    """A key made by a default in Python."""

    __tablename__ = "tokens"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)


class Stamp(Base):
    """A key made by a default in the database that is no sequence."""

    __tablename__ = "stamps"
    id: Mapped[str] = mapped_column(
        Text, primary_key=True, server_default=func.md5(func.random().cast(Text))
    )


class Person(Base):
    """The parent of a joined inheritance."""

    __tablename__ = "people"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}  # noqa: RUF012
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]


class Employee(Person):
    """The child of a joined inheritance, whose key has another name."""

    __tablename__ = "employees"
    __mapper_args__ = {"polymorphic_identity": "employee"}  # noqa: RUF012
    employee_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)


class Node(Base):
    """A row that refers to others of its table."""

    __tablename__ = "nodes"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("nodes.id"))
    parent: Mapped[Node | None] = relationship(remote_side="Node.id")


class Hashed(Base):
    """An entity that cannot be hashed before it has its key."""

    __tablename__ = "hashed"
    id: Mapped[int] = mapped_column(primary_key=True)

    def __hash__(self) -> int:
        if self.id is None:
            raise TypeError("no key yet")
        return hash(self.id)

    def __eq__(self, other: object) -> bool:
        if self.id is None:
            raise TypeError("no key yet")
        return isinstance(other, Hashed) and self.id == other.id


class Job(JobMixin, Base):
    """The job table, with a column of the user."""

    tenant_id: Mapped[int | None]


class Report(Base):
    """A row that knows its job."""

    __tablename__ = "reports"
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[uuid.UUID | None] = mapped_column(job_fk())
    job: Mapped[Job | None] = relationship()


include_tables(Base.metadata)
