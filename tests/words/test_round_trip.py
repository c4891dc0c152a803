"""Arguments come back from the database with their types."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, Literal, NamedTuple, NotRequired
from uuid import UUID
from zoneinfo import ZoneInfo

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session
from typing_extensions import TypedDict

from soniq_sa import InvalidArgumentsError, enqueue, enqueue_many
from tests.words.app import back, make_soniq, offer, task_taking


class Color(Enum):
    """A plain enum."""

    RED = "red"
    BLUE = "blue"


class Size(IntEnum):
    """An enum of numbers."""

    SMALL = 1


class Mode(StrEnum):
    """An enum of texts."""

    FAST = "fast"


class Born(Enum):
    """An enum whose values are not those of JSON."""

    EARLY = date(1970, 1, 1)


@dataclasses.dataclass(frozen=True)
class Money:
    """A dataclass."""

    amount: Decimal
    currency: str = "EUR"


@dataclasses.dataclass
class Basket:
    """A dataclass that holds others."""

    lines: list[Money]
    due: datetime
    owner: UUID | None = None


class Address(pydantic.BaseModel):
    """A pydantic model with an alias."""

    street: str
    zip_code: str = pydantic.Field(alias="zipCode")
    until: date | None = None


class Person(pydantic.BaseModel):
    """A model that holds others."""

    addresses: dict[str, Address]
    money: Money


class Options(TypedDict):
    """A typed dict."""

    since: date
    codes: NotRequired[set[int]]


class Point(NamedTuple):
    """A named tuple."""

    x: int
    y: int


UTC_TIME = datetime(2026, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC)
ELSEWHERE = datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=-9, minutes=-30)))
ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
HOME = Address(street="Main", zipCode="123", until=date(2030, 1, 1))

VALUES: dict[str, tuple[Any, Any]] = {
    "str": (str, 'naïve \U0001f600 \\u0000 "quoted" \n'),
    "int": (int, -(2**80)),
    "float": (float, 0.1),
    "large float": (float, 1e300),
    "small float": (float, 5e-324),
    "bool": (bool, True),
    "None": (int | None, None),
    "bytes": (bytes, b"\x00\xff\xfe+/"),
    "datetime": (datetime, UTC_TIME),
    "datetime elsewhere": (datetime, ELSEWHERE),
    "datetime in a zone": (datetime, datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Europe/Paris"))),
    "date": (date, date(1, 1, 1)),
    "time": (time, time(12, 30, 0, 5)),
    "timedelta": (timedelta, timedelta(days=-1, microseconds=1)),
    "UUID": (UUID, ID),
    "Decimal": (Decimal, Decimal("1.10")),
    "large Decimal": (Decimal, Decimal("12345678901234567890.123456789012345678901")),
    "Enum": (Color, Color.BLUE),
    "IntEnum": (Size, Size.SMALL),
    "StrEnum": (Mode, Mode.FAST),
    "Literal": (Literal["a", 1], 1),
    "list": (list[date], [date(2026, 1, 1)]),
    "sequence": (Sequence[UUID], [ID]),
    "tuple": (tuple[int, str, date], (1, "a", date(2026, 1, 1))),
    "tuple of any length": (tuple[Decimal, ...], (Decimal("1.0"), Decimal("2.00"))),
    "named tuple": (Point, Point(1, 2)),
    "set": (set[UUID], {ID}),
    "frozenset": (frozenset[str], frozenset({"a", "b"})),
    "dict": (dict[str, bytes], {"a": b"\x00"}),
    "mapping": (Mapping[str, date], {"a": date(2026, 1, 1)}),
    "dict by number": (dict[int, str], {1: "a"}),
    "dict by UUID": (dict[UUID, Color], {ID: Color.RED}),
    "dict by date": (dict[date, int], {date(2026, 1, 1): 1}),
    "dataclass": (Money, Money(Decimal("9.90"))),
    "nested dataclass": (Basket, Basket([Money(Decimal(1), "USD")], UTC_TIME, ID)),
    "pydantic model": (Address, HOME),
    "nested pydantic model": (Person, Person(addresses={"a": HOME}, money=Money(Decimal(2)))),
    "TypedDict": (Options, {"since": date(2026, 1, 1), "codes": {1, 2}}),
    "TypedDict without": (Options, {"since": date(2026, 1, 1)}),
    "union of classes": (Money | Address, HOME),
    "optional": (datetime | None, UTC_TIME),
    "annotated": (Annotated[int, pydantic.Field(gt=0)], 5),
    "constrained text": (Annotated[str, pydantic.StringConstraints(max_length=3)], "abc"),
    "Any": (Any, {"a": [1, 2.5, None, True, {"b": "c"}]}),
    "nested": (list[dict[str, tuple[date | None, ...]]], [{"a": (date(2026, 1, 1), None)}]),
    "looks like a reference": (dict[str, Any], {"$ref": 1, "__type__": "Order", "pk": [1]}),
    "looks like a reference inside": (Any, [{"$ref": {"$ref": 1}}]),
}


@pytest.mark.parametrize(("annotation", "value"), VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("many", [False, True], ids=["enqueue", "enqueue_many"])
def test_a_value_comes_back_with_its_type(
    annotation: Any, value: Any, engine: Engine, *, many: bool
) -> None:
    task = task_taking(annotation)
    with Session(engine) as session, session.begin():
        if many:
            handles = enqueue_many(session, task, [{"value": value}] * 2)
        else:
            handles = [enqueue(session, task, value)]
        session.flush()
        for handle in handles:
            stored = session.scalar(
                text("SELECT args::text FROM soniq_jobs WHERE id = :id"), {"id": handle.id}
            )
            found = task.codec.decode(stored)["value"]
            assert found == value
            assert type(found) is type(value)
            if isinstance(value, Decimal):
                assert str(found) == str(value)


# Types whose values some rule of JSON or jsonb could bend: either refused, or as they were.
DELICATE: dict[str, tuple[Any, Any]] = {
    "date or text, a date": (date | str, date(2026, 1, 1)),
    "date or text, a text": (date | str, "2026-01-01"),
    "number or text": (int | str, "1"),
    "UUID or text": (UUID | str, str(ID)),
    "bytes or text": (bytes | str, b"abc"),
    "Decimal or float": (Decimal | float, Decimal("1.5")),
    "whole float of any size": (Any, 1e20),
    "whole float or int": (int | float, 1e20),
    "tuple as a key": (dict[tuple[int, int], str], {(1, 2): "a"}),
    "None as a key": (dict[int | None, str], {None: "a"}),
    "None or text as a key": (dict[str | None, str], {None: "a"}),
    "bool as a key": (dict[bool, str], {True: "a"}),
    "bytes as a key": (dict[bytes, str], {b"\xff": "a"}),
    "Decimal as a key": (dict[Decimal, str], {Decimal("1.10"): "a"}),
    "enum as a key": (dict[Size, str], {Size.SMALL: "a"}),
    "float as a key": (dict[float, str], {0.1: "a"}),
    "set of tuples": (set[tuple[int, str]], {(1, "a")}),
    "datetime with seconds in its offset": (
        datetime,
        datetime(1900, 1, 1, tzinfo=timezone(timedelta(minutes=19, seconds=32))),
    ),
    "time with a zone": (time, time(12, tzinfo=UTC)),
    "long timedelta": (timedelta, timedelta.max),
    "naive datetime in a dataclass": (Basket, Basket([], datetime(2026, 1, 1))),  # noqa: DTZ001
    "negative zero": (float, -0.0),
    "text that is an enum": (str, Mode.FAST),
    "enum of dates": (Born, Born.EARLY),
    "list of enums of dates": (list[Born], [Born.EARLY]),
}


@pytest.mark.parametrize(("annotation", "value"), DELICATE.values(), ids=DELICATE)
def test_a_delicate_value_comes_back_as_it_was_or_is_refused(
    annotation: Any, value: Any, engine: Engine
) -> None:
    task = task_taking(annotation)
    with Session(engine) as session, session.begin():
        try:
            handle = enqueue(session, task, value)
        except InvalidArgumentsError:
            return
        session.flush()
        stored = session.scalar(
            text("SELECT args::text FROM soniq_jobs WHERE id = :id"), {"id": handle.id}
        )
    found = task.codec.decode(stored)["value"]
    assert found == value
    assert type(found) is type(value) or isinstance(value, Mode)


SCALARS = {
    str: st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    int: st.integers(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    bytes: st.binary(),
    date: st.dates(),
    datetime: st.datetimes(timezones=st.just(UTC)),
    time: st.times(),
    timedelta: st.timedeltas(),
    UUID: st.uuids(),
    Decimal: st.decimals(allow_nan=False, allow_infinity=False),
    Color: st.sampled_from(Color),
}


@pytest.mark.parametrize("kind", SCALARS, ids=lambda kind: kind.__name__)
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_any_value_of_a_plain_type_comes_back(kind: type[Any], data: st.DataObject) -> None:
    task = task_taking(dict[str, list[kind]])  # type: ignore[valid-type] # made at run time
    value = {"key": data.draw(st.lists(SCALARS[kind], max_size=3))}
    assert back(offer(task, value), task) == {"value": value}


def odd_names(copy: int, json: str, schema: str, *, model_config: int, model_fields: int) -> None:
    del copy, json, schema, model_config, model_fields


def test_argument_names_that_mean_something_to_pydantic_are_as_good_as_others() -> None:
    task = make_soniq().job(odd_names)
    given = {"copy": 1, "json": "{}", "schema": "a", "model_config": 2, "model_fields": 3}
    assert back(offer(task, **given), task) == given


def clashing(
    *, session: int, task: int, args: int, kwargs: int, values: int, _private: int
) -> None:
    del session, task, args, kwargs, values, _private


def test_argument_names_of_enqueue_itself_are_as_good_as_others() -> None:
    task = make_soniq().job(clashing)
    names = ("session", "task", "args", "kwargs", "values", "_private")
    given = {name: number for number, name in enumerate(names)}
    handle = enqueue(Session(), task, **given)
    assert back(handle, task) == given


def test_a_default_is_left_to_the_handler() -> None:
    def handler(number: int, size: Size = Size.SMALL, tags: tuple[str, ...] = ()) -> None:
        del number, size, tags

    task = make_soniq().job(handler)
    assert offer(task, 1).row.args == {"number": 1}


def test_a_default_of_another_type_does_not_matter() -> None:
    def handler(number: int = None) -> None:  # type: ignore[assignment] # noqa: RUF013 - the point
        del number

    assert offer(make_soniq().job(handler)).row.args == {}
