"""The table of arguments on the page "Enqueue from SQL or another language" is true."""

from __future__ import annotations

import enum
import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy.exc import NoInspectionAvailable
from sqlalchemy.inspection import inspect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from soniq_sa import InvalidArgumentsError, Soniq
from soniq_sa.localserver.databases import libpq_url
from soniq_sa.models import include_tables
from tests.docs.test_sql import rows_of


class Base(DeclarativeBase):
    """The entities of the table of arguments."""


class Order(Base):
    """A key of one column."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)


class Line(Base):
    """A key of two columns."""

    __tablename__ = "lines"
    order_id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)


class Color(enum.Enum):
    """An enum."""

    RED = "red"


@dataclass
class Point:
    """A dataclass."""

    x: int
    y: int


include_tables(Base.metadata)
NAMES: dict[str, Any] = {
    **{one.__name__: one for one in (Order, Line, Color, Point, Decimal, UUID, date, datetime)},
    "UTC": UTC,
    "time": time_of_day,
    "timedelta": timedelta,
}


ARGUMENTS = [(cells[0], cells[1], cells[2]) for cells in rows_of("Arguments") if cells[1]]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]*)`", cell)


@pytest.mark.parametrize(("annotation", "value", "stored"), ARGUMENTS)
def test_an_argument_is_stored_as_the_page_says(annotation: str, value: str, stored: str) -> None:
    in_python = eval(code(value)[0], NAMES)  # noqa: S307 - our own page
    in_json = code(stored)[0]
    for kind in code(annotation)[: 2 if annotation.startswith("`list[int]`") else 1]:
        given = tuple(in_python) if kind.startswith("tuple") else in_python
        codec = codec_of(eval(kind, NAMES))  # noqa: S307
        assert codec.decode(f'{{"value": {in_json}}}') == {"value": as_key(given)}
        for one in instances_in(given):
            persist(one)
        (encoded,) = codec.encode((given,), {}).values.values()
        assert json.dumps(encoded) == in_json


def codec_of(kind: Any) -> Any:
    """Return what writes and reads the arguments of a task that takes a ``kind``."""

    def handler(value: Any) -> None:
        del value

    handler.__annotations__["value"] = kind
    return Soniq(Base.metadata).job(name="task")(handler).codec


def as_key(value: Any) -> Any:
    """Return what the worker loads an entity by: its key, as it is stored."""
    if isinstance(value, list):
        return [as_key(one) for one in value]
    if isinstance(value, dict):
        return {name: as_key(one) for name, one in value.items()}
    if not isinstance(value, Base):
        return value
    key = inspect(type(value)).primary_key_from_instance(value)
    return key[0] if len(key) == 1 else list(key)


def instances_in(value: Any) -> list[Any]:
    values = list(value.values()) if isinstance(value, dict) else value
    return [one for one in (values if isinstance(values, list) else [values]) if is_entity(one)]


def is_entity(value: Any) -> bool:
    try:
        return inspect(value) is not None and isinstance(value, Base)
    except NoInspectionAvailable:
        return False


def persist(entity: Any) -> None:
    """Make an instance look as if it came from the database."""
    state = inspect(entity)
    state.key = state.mapper.identity_key_from_instance(entity)


IN_SQL = [
    (datetime, "now()"),
    (date, "current_date"),
    (UUID, "'8d0a5e0e-4e53-4d3b-9c39-0b6f7ce3c3a1'::uuid"),
    (int, "7::bigint"),
    (float, "1.5::float8"),
    (str, "'Ann'::text"),
    (bool, "true"),
    (Decimal, "(12345678901234567890.12)::numeric::text"),
    (bytes, "translate(encode(decode(repeat('fffefb', 60), 'hex'), 'base64'), E'\\n', '')"),
]


@pytest.mark.parametrize(("kind", "expression"), IN_SQL)
def test_what_sql_writes_is_read_by_the_worker(
    kind: Any, expression: str, database_url: str
) -> None:
    with psycopg.connect(libpq_url(database_url)) as connection:
        row = connection.execute(
            f"SELECT jsonb_build_object('value', {expression})::text, {expression}".encode()
        ).fetchone()
    assert row is not None
    stored, plain = row
    (value,) = codec_of(kind).decode(stored).values()
    assert isinstance(value, kind)
    expected = {Decimal: lambda: Decimal(plain), bytes: lambda: bytes.fromhex("fffefb" * 60)}
    assert value == expected.get(kind, lambda: plain)()


def test_bytes_with_line_breaks_are_refused() -> None:
    with pytest.raises(InvalidArgumentsError):
        codec_of(bytes).decode('{"value": "AAAA\\nAAAA"}')
