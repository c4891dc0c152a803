"""What PostgreSQL or the worker could not take is refused at the ``enqueue`` line."""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime
from enum import Enum
from typing import Any

import pydantic
import pytest
from sqlalchemy.orm import Session

from soniq_sa import InvalidArgumentsError, enqueue, enqueue_many
from soniq_sa.json_text import MAX_BYTES, MAX_DEPTH
from tests.words.app import back, make_soniq, nested, offer, task_taking


@dataclasses.dataclass
class Box:
    """Holds anything."""

    content: Any


class Account(pydantic.BaseModel):
    """What pydantic writes with stars."""

    pin: pydantic.SecretStr


class Color(Enum):
    """A plain enum."""

    RED = "red"


def cyclic() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def cyclic_dict() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["self"] = [value]
    return value


def cyclic_box() -> Box:
    box = Box(None)
    box.content = box
    return box


NAN, INF = float("nan"), float("inf")
NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 - the point
HOSTILE = {
    "U+0000": (str, "a\0b"),
    "U+0000 inside": (Any, [{"key": ["a\0b"]}]),
    "U+0000 in a key": (dict[str, int], {"a\0b": 1}),
    "lone surrogate": (str, "\ud800"),
    "lone surrogate inside": (Any, {"key": ["\udfff"]}),
    "lone surrogate in a key": (dict[str, int], {"\ud800": 1}),
    "NaN": (float, NAN),
    "infinity": (float, INF),
    "NaN in a list": (list[float], [1.0, NAN]),
    "NaN in anything": (Any, {"key": [NAN]}),
    "infinity in anything": (Any, (-INF,)),
    "NaN in a dataclass": (Box, Box(NAN)),
    "naive datetime": (datetime, NAIVE),
    "naive datetime in a list": (list[datetime], [NAIVE]),
    "naive datetime or nothing": (datetime | None, NAIVE),
    "naive datetime in a dict": (dict[str, tuple[datetime, ...]], {"key": (NAIVE,)}),
    "cycle": (Any, cyclic()),
    "cycle of dicts": (dict[str, Any], cyclic_dict()),
    "cycle of objects": (Box, cyclic_box()),
    "depth one over the limit": (Any, nested(MAX_DEPTH)),
    "depth 5000": (Any, nested(5000)),
    "depth 5000 of dicts": (Any, nested(5000, lambda inner: {"key": inner})),
    "a number of 5000 digits": (int, 10**5000),
    "more than 1 MiB": (str, "x" * MAX_BYTES),
    "more than 1 MiB of UTF-8": (str, "€" * (MAX_BYTES // 3)),
    "more than 1 MiB of bytes": (bytes, b"x" * MAX_BYTES),
    "an object": (Any, object()),
    "a function": (Any, print),
    "a secret inside a model": (Account, Account(pin=pydantic.SecretStr("1234"))),
}


@pytest.mark.parametrize(("annotation", "value"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_value_is_refused_where_it_is_enqueued(annotation: Any, value: Any) -> None:
    task = task_taking(annotation)
    session = Session()
    with pytest.raises(InvalidArgumentsError) as error:
        enqueue(session, task, value)
    assert isinstance(error.value, TypeError)
    assert "taking" in str(error.value)
    assert len(str(error.value)) < 2_000
    assert not session.new


# What JSON would turn into something else, without a word.
DISGUISED = {
    "tuple as anything": (Any, (1, 2)),
    "set as anything": (Any, {1, 2}),
    "bytes as anything": (Any, b"abc"),
    "datetime as anything": (Any, datetime.fromisoformat("2026-01-01T00:00:00+00:00")),
    "enum as anything": (Any, Color.RED),
    "dataclass as anything": (Any, Box(1)),
    "number as a key of anything": (Any, {1: "one"}),
    "keys that become one": (dict[int | str, str], {1: "number", "1": "text"}),
    "date or text": (datetime | str, "2026-01-01T00:00:00Z"),
    "tuple in an unparametrised dict": (dict, {"key": (1,)}),
    "tuple in an unparametrised list": (list, [(1,)]),
}


@pytest.mark.parametrize(("annotation", "value"), DISGUISED.values(), ids=DISGUISED)
def test_a_value_that_json_cannot_tell_apart_is_refused(annotation: Any, value: Any) -> None:
    with pytest.raises(InvalidArgumentsError):
        offer(task_taking(annotation), value)


UNDER = {
    "depth at the limit": (Any, nested(MAX_DEPTH - 1)),
    "just under 1 MiB": (str, "x" * (MAX_BYTES - len('{"value":""}'))),
    "U+0000 that is spelt out": (str, r"\u0000"),
    "many brackets side by side": (Any, [[] for _ in range(1000)]),
    "brackets in a text": (str, "[{" * 1000),
    "a pair of surrogates": (str, "\U0001f600"),
}


@pytest.mark.parametrize(("annotation", "value"), UNDER.values(), ids=UNDER)
def test_what_only_looks_hostile_is_taken(annotation: Any, value: Any) -> None:
    task = task_taking(annotation)
    assert back(offer(task, value), task) == {"value": value}


@pytest.mark.parametrize(
    "value", [10**400, [10**400], {"key": 10**400}], ids=["int", "list", "dict"]
)
def test_a_number_of_400_digits_is_refused_or_comes_back(value: Any) -> None:
    task = task_taking(Any)
    try:
        handle = offer(task, value)
    except InvalidArgumentsError:
        return
    assert back(handle, task) == {"value": value}


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, "1"),
        (int, 1.0),
        (int, True),
        (int, None),
        (str, 1),
        (str, b"a"),
        (bool, 1),
        (float, "1.5"),
        (bytes, "a"),
        (list[int], ["1"]),
        (list[int], (1,)),
        (dict[str, int], {"key": "1"}),
        (Color, "red"),
        (Box, {"content": 1}),
        (datetime, "2026-01-01T00:00:00Z"),
    ],
    ids=str,
)
def test_a_value_of_another_type_is_refused_and_named(annotation: Any, value: Any) -> None:
    with pytest.raises(InvalidArgumentsError, match=r"value.*got") as error:
        offer(task_taking(annotation), value)
    assert re.search(r"got .+ \(\w+\)", str(error.value))


def ship(order_id: int, /, address: str, *, express: bool = False) -> None:
    del order_id, address, express


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "misses the argument 'order_id', 'address'"),
        ((1,), {}, "misses the argument 'address'"),
        ((1, "a", True), {}, "takes 2 positional arguments, 3 were given"),
        ((1, "a"), {"address": "b"}, "got the argument 'address' twice"),
        ((1, "a"), {"expres": True}, "no argument 'expres'.*Did you mean 'express'"),
        ((1, "a"), {"queue": "b"}, r"an option of the job: enqueue\(task.options\(queue=...\)"),
        (
            (),
            {"args": {"number": 1}},
            r"Give the arguments themselves: enqueue\(task, \*\*arguments",
        ),
    ],
)
def test_a_call_that_does_not_fit_says_why(
    args: tuple[Any, ...], kwargs: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgumentsError, match=message):
        offer(make_soniq().job(ship), *args, **kwargs)


def test_what_is_no_task_is_refused() -> None:
    with pytest.raises(InvalidArgumentsError, match=r"Decorate the function with @soniq\.job"):
        enqueue(Session(), ship, 1, "a")  # type: ignore[arg-type] # the point
    with pytest.raises(InvalidArgumentsError, match=r"Decorate the function with @soniq\.job"):
        enqueue_many(Session(), ship, [])  # type: ignore[arg-type] # the point


def test_a_bad_row_of_many_is_numbered_and_adds_none() -> None:
    session = Session()
    task = task_taking(int)
    with pytest.raises(InvalidArgumentsError) as error:
        enqueue_many(session, task, [{"value": 1}, {"value": 2}, {"value": "3"}])
    assert error.value.__notes__ == ["In row 2 of enqueue_many."]
    assert not session.new


def test_arguments_are_as_they_were_when_the_job_was_enqueued() -> None:
    task = task_taking(Any)
    value = {"numbers": [1, 2]}
    handle = offer(task, value)
    value["numbers"].append(3)
    assert back(handle, task) == {"value": {"numbers": [1, 2]}}
