"""The shop's tables. The last line adds those of soniq-sa to the same metadata."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import DateTime, ForeignKey, Numeric, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from soniq_sa.models import include_tables


class Base(DeclarativeBase):
    """The declarative base of every table."""


class Customer(Base):
    """Somebody who buys."""

    __tablename__ = "customers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str] = mapped_column(unique=True)


class Order(Base):
    """What a customer bought; with a gift paper if one was chosen and in stock."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    total: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    gift_paper: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Invoice(Base):
    """The bill for an order.

    A real shop would make `order_id` unique. Here it is not, so that `soniq-sa demo` can count the
    duplicates that a worker killed in the middle of its work might have caused: there are none.
    """

    __tablename__ = "invoices"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    number: Mapped[str]
    issued_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


include_tables(Base.metadata)
