"""Every way to declare models, each with the job tables in its metadata."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flask
import flask_sqlalchemy
import sqlmodel
from sqlalchemy import Column, Integer, MetaData, Text
from sqlalchemy.orm import (
    DeclarativeBase,
    DeclarativeBaseNoMeta,
    Mapped,
    MappedAsDataclass,
    declarative_base,
    mapped_column,
    registry,
)

from soniq_sa.models import JobMixin, include_tables


@dataclass(frozen=True)
class Style:
    """A base with an entity, and perhaps a job class of the user."""

    metadata: MetaData
    Order: type[Any]
    Job: type[Any] | None = None


def finished(metadata: MetaData, order: type[Any], job: type[Any] | None = None) -> Style:
    include_tables(metadata)
    return Style(metadata, order, job)


def plain() -> Style:
    class Base(DeclarativeBase):
        pass

    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        note: Mapped[str] = mapped_column(default="")

    return finished(Base.metadata, Order)


def plain_with_class() -> Style:
    class Base(DeclarativeBase):
        pass

    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        note: Mapped[str] = mapped_column(default="")

    class Job(JobMixin, Base):
        tenant: Mapped[str | None]

    return finished(Base.metadata, Order, Job)


def no_meta() -> Style:
    class Base(DeclarativeBaseNoMeta):
        pass

    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        note: Mapped[str] = mapped_column(default="")

    class Job(JobMixin, Base):
        tenant: Mapped[str | None]

    return finished(Base.metadata, Order, Job)


def as_dataclass() -> Style:
    class Base(MappedAsDataclass, DeclarativeBase):
        pass

    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True, init=False)
        note: Mapped[str] = mapped_column(default="")

    class Job(JobMixin, Base):
        tenant: Mapped[str | None] = mapped_column(default=None)

    return finished(Base.metadata, Order, Job)


def as_keyword_dataclass() -> Style:
    class Base(MappedAsDataclass, DeclarativeBase, kw_only=True):
        pass

    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True, init=False)
        note: Mapped[str]

    class Job(JobMixin, Base):
        tenant: Mapped[str | None] = mapped_column(default=None)

    return finished(Base.metadata, Order, Job)


def old_function() -> Style:
    Base: Any = declarative_base()  # noqa: N806 - a class

    class Order(Base):
        __tablename__ = "orders"
        id = Column(Integer, primary_key=True)
        note = Column(Text, default="")

    class Job(JobMixin, Base):
        tenant = Column(Text)

    return finished(Base.metadata, Order, Job)


def by_registry() -> Style:
    mapped = registry()

    @mapped.mapped
    class Order:
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        note: Mapped[str] = mapped_column(default="")

    @mapped.mapped
    class Job(JobMixin):
        tenant: Mapped[str | None]

    return finished(mapped.metadata, Order, Job)


def by_registry_as_dataclass() -> Style:
    mapped = registry()

    @mapped.mapped_as_dataclass
    class Order:
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True, init=False)
        note: Mapped[str] = mapped_column(default="")

    @mapped.mapped_as_dataclass
    class Job(JobMixin):
        tenant: Mapped[str | None] = mapped_column(default=None)

    return finished(mapped.metadata, Order, Job)


def by_flask_sqlalchemy() -> Style:
    db = flask_sqlalchemy.SQLAlchemy()
    web = flask.Flask("shop")
    web.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
    db.init_app(web)
    Model: Any = db.Model  # noqa: N806 - a class

    class Order(Model):
        __tablename__ = "orders"
        id = mapped_column(Integer, primary_key=True)
        note = mapped_column(Text, default="")

    class Job(JobMixin, Model):
        tenant = mapped_column(Text)

    return finished(db.metadata, Order, Job)


def by_flask_sqlalchemy_with_a_base() -> Style:
    class Base(DeclarativeBase):
        pass

    db = flask_sqlalchemy.SQLAlchemy(model_class=Base)
    Model: Any = db.Model  # noqa: N806 - a class

    class Order(Model):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        note: Mapped[str] = mapped_column(default="")

    class Job(JobMixin, Model):
        tenant: Mapped[str | None]

    return finished(db.metadata, Order, Job)


def sqlmodel_metadata() -> Style:
    class Base(sqlmodel.SQLModel, registry=registry()):
        metadata = MetaData()

    class Order(Base, table=True):
        __tablename__ = "orders"
        id: int | None = sqlmodel.Field(default=None, primary_key=True)
        note: str = ""

    return finished(Base.metadata, Order)


def sqlmodel_class() -> Style:
    class Base(sqlmodel.SQLModel, registry=registry()):
        metadata = MetaData()

    class Order(Base, table=True):
        __tablename__ = "orders"
        id: int | None = sqlmodel.Field(default=None, primary_key=True)
        note: str = ""

    class Job(JobMixin, Base, table=True):
        tenant: str | None = None

    return finished(Base.metadata, Order, Job)


STYLES: dict[str, Callable[[], Style]] = {
    function.__name__: function
    for function in (
        plain,
        plain_with_class,
        no_meta,
        as_dataclass,
        as_keyword_dataclass,
        old_function,
        by_registry,
        by_registry_as_dataclass,
        by_flask_sqlalchemy,
        by_flask_sqlalchemy_with_a_base,
        sqlmodel_metadata,
        sqlmodel_class,
    )
}
