"""With ``args_model`` the arguments have to satisfy a pydantic model as well."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel, field_validator, model_validator
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlmodel import Field as SQLField
from sqlmodel import SQLModel

from soniq_sa import (
    InvalidArgumentsError,
    JobContext,
    OptionError,
    Task,
    TaskDefinitionError,
    enqueue,
    enqueue_many,
    inject,
)
from tests.words.app import back, make_soniq, offer
from tests.words.test_hostile_arguments import HOSTILE


class Base(DeclarativeBase):
    """A base, only to have an entity below it."""


class Parcel(Base):
    """An entity."""

    __tablename__ = "parcels"
    id: Mapped[int] = mapped_column(primary_key=True)


class ShipArgs(BaseModel):
    """What is asked of the arguments."""

    model_config = ConfigDict(extra="forbid")
    code: str = Field(pattern=r"^[A-Z]{3}$", alias="theCode")
    low: int = 7
    high: int = Field(default=7, le=100)

    @field_validator("code", mode="before")
    @classmethod
    def upper(cls, value: Any) -> Any:
        """Accept small letters."""
        return value.upper() if isinstance(value, str) else value

    @model_validator(mode="after")
    def in_order(self) -> ShipArgs:
        """Refuse an empty range."""
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


def make_task() -> Task[..., Any]:
    """Return a task with arguments that the model tells of, and one that it does not."""

    @make_soniq().job(name="ship", args_model=ShipArgs)
    def ship(
        code: str, low: int = 1, high: int = 10, at: datetime | None = None, parcel: Any = None
    ) -> None:
        del code, low, high, at, parcel

    return ship


def test_arguments_that_satisfy_the_model_reach_the_handler_as_they_were_given() -> None:
    task = make_task()
    at = datetime(2026, 1, 1, tzinfo=UTC)
    handle = offer(task, "abc", high=20, at=at)
    assert handle.row.args == {"code": "abc", "high": 20, "at": "2026-01-01T00:00:00Z"}
    assert back(handle, task) == {"code": "abc", "high": 20, "at": at}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"code": "abcd"}, r"'code': String should match pattern .*, got 'ABCD' \(str\)"),
        ({"code": "abc", "high": 101}, "'high': Input should be less than or equal to 100"),
        ({"code": "abc", "low": 11}, r"Arguments do not fit ship\(\): .*low is above high"),
    ],
)
def test_what_the_model_refuses_is_refused_at_enqueue_and_when_it_is_read(
    args: dict[str, Any], message: str
) -> None:
    session = Session()
    with pytest.raises(InvalidArgumentsError, match=message):
        enqueue(session, make_task(), **args)
    with pytest.raises(InvalidArgumentsError) as error:
        enqueue_many(session, make_task(), [{"code": "abc"}, args])
    assert error.value.__notes__ == ["In row 1 of enqueue_many."]
    assert not session.new
    stored = message.replace("Arguments do", "The stored arguments do")
    stored = stored.replace(r"got 'ABCD' \(str\)", "got a value of type str")
    with pytest.raises(InvalidArgumentsError, match=stored):
        make_task().codec.decode(json.dumps(args))


def test_the_model_sees_the_handlers_own_defaults_for_what_is_left_out() -> None:
    with pytest.raises(InvalidArgumentsError, match="low is above high"):
        offer(make_task(), "abc", high=0)  # the handler has low=1, the model low=7
    assert offer(make_task(), "abc", high=5).row.args == {"code": "abc", "high": 5}


def test_the_signature_has_the_first_word() -> None:
    for wrong in ({}, {"code": 3}, {"theCode": "abc"}, {"code": "abc", "hi": 1}):
        with pytest.raises(InvalidArgumentsError):
            offer(make_task(), **wrong)


def test_what_the_model_does_not_tell_of_is_none_of_its_business() -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(extra="forbid")
        low: int

    @make_soniq().job(args_model=Strict)
    def ship(
        low: int, other: str, parcel: Parcel | None = None, ctx: JobContext = inject()
    ) -> None:
        del low, other, parcel, ctx

    assert offer(ship, 1, "a").row.args == {"low": 1, "other": "a"}
    assert offer(ship, 1, "a", Parcel(id=3)).row.args == {"low": 1, "other": "a", "parcel": None}


@pytest.mark.parametrize(("annotation", "value"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_value_is_refused_where_it_is_enqueued(annotation: Any, value: Any) -> None:
    class Lenient(BaseModel):
        value: Any

    def handler(value: Any) -> None:
        del value

    handler.__annotations__ = {"value": annotation}
    task = make_soniq().job(name="taking", args_model=Lenient)(handler)
    session = Session()
    with pytest.raises(InvalidArgumentsError) as error:
        enqueue(session, task, value)
    assert "taking" in str(error.value)
    assert len(str(error.value)) < 2_000
    assert not session.new


class Single(RootModel[int]):
    """A model without fields."""


class Hero(SQLModel, table=True):
    """A table that is a model too, and does not check what it is given."""

    id: int | None = SQLField(default=None, primary_key=True)


@pytest.mark.parametrize(
    "model", [dict, "ShipArgs", Single, ShipArgs.model_construct(), Parcel, Hero, 1]
)
def test_what_is_no_model_is_refused_where_the_task_is_defined(model: Any) -> None:
    with pytest.raises(OptionError, match=r"The option 'args_model' is .* takes a pydantic model"):
        make_soniq().job(args_model=model)


def typo(lov: int) -> None:
    del lov


def entity(low: Parcel) -> None:
    del low


def injected(low: JobContext = inject()) -> None:
    del low


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (typo, "the handler has no such parameter.*Did you mean 'lov'"),
        (entity, "the handler takes an entity by that name"),
        (injected, "the handler is supplied with it by the worker"),
    ],
)
def test_a_field_that_is_no_argument_of_the_handler_is_refused(handler: Any, message: str) -> None:
    class LowArgs(BaseModel):
        low: int

    task: Any = make_soniq().job(args_model=LowArgs)(handler)
    with pytest.raises(TaskDefinitionError, match=f"LowArgs has the field 'low', and {message}"):
        offer(task, 1)


def test_a_task_without_a_model_has_the_plain_codec() -> None:
    @make_soniq().job
    def plain(low: int) -> None:
        del low

    with_none = make_soniq().job(args_model=None)(typo)
    assert type(plain.codec).__name__ == type(with_none.codec).__name__ == "Codec"
