"""What a handler returns comes back through PostgreSQL with the type of its annotation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NewType, TypeVar
from uuid import UUID

import pytest
from pydantic import BaseModel, Field
from sqlalchemy import Engine, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from typing_extensions import TypedDict

from soniq_sa import Cancel, InvalidResultError, Retry, Snooze, TaskDefinitionError
from soniq_sa.results import ResultCodec
from tests.words.app import make_soniq, nested

T = TypeVar("T")
OrderId = NewType("OrderId", int)


class Base(DeclarativeBase):
    """A base of these tests."""


class Order(Base):
    """An entity."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)


class Colour(Enum):
    """A choice."""

    RED = "red"
    BLUE = "blue"


class Size(IntEnum):
    """A choice with an order."""

    SMALL = 1
    LARGE = 2


class Kind(StrEnum):
    """A choice of words."""

    BOOK = "book"


@dataclass
class Point:
    """Two numbers and a time."""

    x: int
    y: float
    at: datetime | None = None


class Invoice(BaseModel):
    """A model with an alias."""

    number: int = Field(alias="invoiceNumber")
    total: Decimal
    points: list[Point] = []


class Pair(NamedTuple):
    """A tuple with names."""

    left: int
    right: str


class Row(TypedDict):
    """A dict with known keys."""

    name: str
    day: date


NOON = datetime(2026, 11, 20, 12, 30, 15, 123456, tzinfo=UTC)


def codec(annotation: Any) -> ResultCodec:
    """Return the codec of a task that returns ``annotation``."""

    def work() -> Any:
        pass

    work.__annotations__ = {"return": annotation}
    return make_soniq().job(name="work")(work).codec.result


def through(engine: Engine, annotation: Any, value: Any) -> Any:
    """Return ``value`` as it comes back from a column of the type jsonb."""
    made = codec(annotation)
    with engine.connect() as connection:
        stored = connection.scalar(
            text("SELECT CAST(CAST(:json AS jsonb) AS text)"), {"json": made.encode(value)}
        )
    return made.decode(stored)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, 0),
        (int, 2**200),
        (float, 1.5),
        (float, 1e300),
        (float, 1e16),
        (bool, False),
        (str, ""),
        (str, "späť 🎈 \\u0000 \n"),
        (bytes, b"\x00\xff"),
        (Decimal, Decimal("12345678901234567890.10")),
        (UUID, UUID(int=7)),
        (datetime, NOON),
        (datetime, NOON.astimezone(timezone(timedelta(hours=-9)))),
        (date, date(2026, 11, 20)),
        (time, time(12, 30, tzinfo=UTC)),
        (timedelta, timedelta(days=1, microseconds=7)),
        (Path, Path("a/b")),
        (Colour, Colour.BLUE),
        (Size, Size.LARGE),
        (Kind, Kind.BOOK),
        (Point, Point(1, 2.5, NOON)),
        (Invoice, Invoice(invoiceNumber=7, total=Decimal("1.10"), points=[Point(1, 2.0)])),
        (Pair, Pair(1, "a")),
        (Row, {"name": "a", "day": date(2026, 11, 20)}),
        (list[int], []),
        (list[UUID], [UUID(int=1), UUID(int=2)]),
        (tuple[int, str], (1, "a")),
        (tuple[Point, ...], (Point(1, 2.0), Point(3, 4.0))),
        (set[int], {1, 2}),
        (frozenset[str], frozenset({"a"})),
        (dict[str, Decimal], {"a": Decimal("1.0")}),
        (dict[int, str], {1: "a"}),
        (dict[UUID, list[Colour]], {UUID(int=1): [Colour.RED]}),
        (Mapping[str, int], {"a": 1}),
        (Sequence[int], [1, 2]),
        (Literal["a", 1], 1),
        (Annotated[int, Field(gt=0)], 7),
        (OrderId, OrderId(7)),
        (int | None, 7),
        (int | str, "5"),
        (int | str, 5),
        (Point | Invoice | None, Point(1, 2.0)),
        (list[Point | None], [None, Point(1, 2.0)]),
        (Snooze | int, 7),
        (int | Retry | Cancel | None, 7),
        (object, {"a": [1, None, True, "b", 1.5]}),
        (T, {"a": [1]}),
        (Any, {"a": [1, None, True, "b", 1.5]}),
        (dict, {"a": 1}),
        (list, [1, "a"]),
    ],
    ids=lambda value: f"{value!r:.40}",
)
def test_a_value_comes_back_with_its_type(engine: Engine, annotation: Any, value: Any) -> None:
    found = through(engine, annotation, value)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("value", ["2026-11-20", date(2026, 11, 20)], ids=["text", "date"])
def test_a_text_that_looks_like_a_date_stays_what_it_is_or_is_refused(
    engine: Engine, value: Any
) -> None:
    try:
        assert through(engine, date | str, value) == value
    except InvalidResultError:
        assert isinstance(value, date | str)


@pytest.mark.parametrize(
    "annotation",
    [None, int, Any, Snooze, Snooze | None, "nothing"],
    ids=lambda value: f"{value!r:.40}",
)
def test_none_is_not_stored(annotation: Any) -> None:
    made = ResultCodec(None if annotation == "nothing" else annotation, "work")
    assert made.encode(None) is None
    assert made.decode(None) is None


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, "7"),
        (int, 7.0),
        (int, True),
        (str, 7),
        (str, b"a"),
        (bool, 1),
        (float, "1.5"),
        (float, math.nan),
        (float, math.inf),
        (bytes, "a"),
        (Decimal, 1.5),
        (Decimal, Decimal("NaN")),
        (UUID, str(UUID(int=7))),
        (datetime, NOON.replace(tzinfo=None)),
        (datetime, NOON.isoformat()),
        (date, "2026-11-20"),
        (Colour, "red"),
        (Point, {"x": 1, "y": 2.0}),
        (Invoice, {"invoiceNumber": 7, "total": "1"}),
        (Row, {"name": "a"}),
        (list[int], (1, 2)),
        (list[int], [1, "2"]),
        (tuple[int, str], (1,)),
        (set[int], [1]),
        (dict[str, int], {1: 1}),
        (Literal["a"], "b"),
        (Annotated[int, Field(gt=0)], 0),
        (int | str, 1.5),
        (None, 7),
        (Snooze, 7),
        (Snooze | None, "a"),
        (str, "a\0b"),
        (str, "\ud800"),
        (list[str], ["a\0b"]),
        (dict[str, int], {"a\0b": 1}),
        (str, "x" * (1024 * 1024)),
        (object, NotImplemented),
        (object, {"a": math.nan}),
        (list, nested(65)),
    ],
    ids=lambda value: f"{value!r:.40}",
)
def test_what_the_annotation_does_not_allow_is_refused(annotation: Any, value: Any) -> None:
    with pytest.raises(InvalidResultError, match="work") as error:
        codec(annotation).encode(value)
    assert len(str(error.value)) < 2_000


class Unprintable:
    """A value that cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")


def test_a_value_that_cannot_be_shown_is_refused_by_its_class() -> None:
    with pytest.raises(InvalidResultError, match=r"<Unprintable.* repr\(\)"):
        codec(int).encode(Unprintable())


def cyclic() -> list[Any]:
    values: list[Any] = []
    values.append(values)
    return values


DROPPED: dict[str, Any] = {
    "object": object(),
    "U+0000": "a\0b",
    "surrogate": "\ud800",
    "NaN": math.nan,
    "5 MB": "x" * 5_000_000,
    "cycle": cyclic(),
    "deep": nested(5_000),
    "entity": Order(id=1),
    "function": cyclic,
    "unprintable": Unprintable(),
    "huge number": 10**5_000,
    "mixed keys": {1: "a", object(): "b"},
}


@pytest.mark.parametrize("name", DROPPED)
def test_without_an_annotation_what_is_no_json_is_dropped(name: str) -> None:
    def work():  # type: ignore[no-untyped-def] # noqa: ANN202 - the point
        pass

    bare = make_soniq().job(name="work")(work).codec.result
    for made in (bare, codec(Any)):
        kept = made.encode(DROPPED[name])
        assert kept is None or isinstance(made.decode(kept), str | list | dict)


def test_what_is_dropped_is_what_could_not_be_stored() -> None:
    assert [name for name in DROPPED if codec(Any).encode(DROPPED[name]) is not None] == []


def test_any_keeps_what_is_json_as_json(engine: Engine) -> None:
    found = through(engine, Any, {"day": date(2026, 11, 20), "ids": {UUID(int=1)}, "at": (1, 2)})
    assert found == {"day": "2026-11-20", "ids": [str(UUID(int=1))], "at": [1, 2]}


@pytest.mark.parametrize("annotation", [Order, list[Order], Order | None, Unprintable], ids=str)
def test_a_type_that_cannot_be_json_is_refused_at_the_first_use(annotation: Any) -> None:
    with pytest.raises(TaskDefinitionError, match="what it returns"):
        codec(annotation)


def test_a_generator_of_results_is_no_result() -> None:
    def numbers() -> Iterator[int]:
        yield 1

    with pytest.raises(InvalidResultError):
        codec(list[int]).encode(numbers())


@pytest.mark.parametrize("stored", ['"a"', "null", "[1]", "{}", "1.5"])
def test_a_stored_result_that_no_longer_fits_is_told(stored: str) -> None:
    with pytest.raises(InvalidResultError, match="no longer fits"):
        codec(int).decode(stored)


def test_a_model_of_the_user_is_written_by_its_aliases_and_read_back() -> None:
    made = codec(Invoice)
    kept = made.encode(Invoice(invoiceNumber=7, total=Decimal(1)))
    assert kept is not None
    assert '"invoiceNumber":7' in kept
    assert made.decode(kept).number == 7
