"""A task is enqueued for by its name: with a model, by a stub, or as what is registered here."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    create_model,
    field_validator,
    model_validator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from soniq_sa import (
    InvalidArgumentsError,
    JobContext,
    OptionError,
    Soniq,
    TaskDefinitionError,
    TaskRef,
    UnknownOptionError,
    UnknownQueueError,
    UnknownTaskError,
    UnknownTaskWarning,
    enqueue,
    enqueue_many,
    inject,
)
from tests.words.app import back, make_soniq, offer, task_taking
from tests.words.test_hostile_arguments import DISGUISED, HOSTILE


class InvoiceArgs(BaseModel):
    """The arguments of a task elsewhere."""

    model_config = ConfigDict(extra="forbid")
    order_id: int = Field(gt=0)
    amount: Decimal = Decimal("1.10")
    copies: int = 1


class Other(DeclarativeBase):
    """A base, only to have an entity below it."""


class Parcel(Other):
    """An entity."""

    __tablename__ = "parcels"
    id: Mapped[int] = mapped_column(primary_key=True)


def stored(handle: Any) -> tuple[str, dict[str, Any]]:
    """Return the task name and the arguments of a job."""
    return handle.row.task, handle.row.args


# A reference with a model


def test_a_job_holds_what_the_model_makes_of_the_arguments_its_defaults_included() -> None:
    send = make_soniq().ref("billing.send", InvoiceArgs)
    handle = offer(send, order_id=3)
    assert stored(handle) == ("billing.send", {"order_id": 3, "amount": "1.10", "copies": 1})
    assert handle.name == "billing.send"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "misses the argument 'order_id'"),
        ({"order_id": "3"}, "'order_id': Input should be a valid integer, got '3'"),
        ({"order_id": 0}, "'order_id': Input should be greater than 0"),
        ({"order_id": 3, "copys": 1}, "no argument 'copys'.*Did you mean 'copies'"),
        ({"order_id": 3, "amount": 1.5}, "'amount'"),
    ],
)
def test_arguments_that_the_model_refuses_are_refused_where_they_are_enqueued(
    given: dict[str, Any], message: str
) -> None:
    session = Session()
    with pytest.raises(InvalidArgumentsError, match=message) as error:
        enqueue(session, make_soniq().ref("billing.send", InvoiceArgs), **given)
    assert "billing.send" in str(error.value)
    assert not session.new


def test_the_arguments_of_a_model_have_no_order() -> None:
    send: Any = make_soniq().ref("billing.send", InvoiceArgs)
    with pytest.raises(InvalidArgumentsError, match="takes 0 positional arguments, 1 were given"):
        offer(send, 3)


class Named(BaseModel):
    """Arguments with other names for those who write JSON."""

    order_id: int = Field(alias="orderId")
    note: str = Field(default="", validation_alias=AliasChoices("memo", "text"))
    at: datetime = Field(default=datetime(2026, 1, 1, tzinfo=UTC), serialization_alias="when")


@pytest.mark.parametrize(
    "given",
    [{"order_id": 3, "note": "x"}, {"orderId": 3, "memo": "x"}, {"orderId": 3, "note": "x"}],
)
def test_an_argument_is_given_by_its_name_or_alias_and_stored_by_its_name(
    given: dict[str, Any],
) -> None:
    handle = offer(make_soniq().ref("named", Named), **given)
    assert handle.row.args == {"order_id": 3, "note": "x", "at": "2026-01-01T00:00:00Z"}


def test_an_alias_made_by_the_model_is_taken_too() -> None:
    class Camel(BaseModel):
        model_config = ConfigDict(alias_generator=lambda name: name.upper())
        order_id: int

    assert offer(make_soniq().ref("camel", Camel), ORDER_ID=3).row.args == {"order_id": 3}
    assert offer(make_soniq().ref("camel", Camel), order_id=3).row.args == {"order_id": 3}


def test_a_model_that_looks_at_names_alone_is_given_names() -> None:
    class ByName(BaseModel):
        model_config = ConfigDict(validate_by_alias=False, validate_by_name=True)
        order_id: int = Field(alias="orderId")

    assert offer(make_soniq().ref("by_name", ByName), order_id=3).row.args == {"order_id": 3}


def test_an_argument_given_by_name_and_by_alias_is_refused() -> None:
    with pytest.raises(InvalidArgumentsError, match="twice"):
        offer(make_soniq().ref("named", Named), order_id=3, orderId=4)


def test_a_wrong_value_is_named_by_its_argument() -> None:
    with pytest.raises(InvalidArgumentsError, match=r"'order_id': .*got 'x' \(str\)"):
        offer(make_soniq().ref("named", Named), order_id="x")


class Cleaning(BaseModel):
    """Arguments that are put in order, each by itself and all together."""

    email: str
    low: int = 0
    high: int = 10

    @field_validator("email")
    @classmethod
    def lower(cls, value: str) -> str:
        """Write it as all do."""
        return value.lower()

    @model_validator(mode="after")
    def in_order(self) -> Cleaning:
        """Refuse an empty range."""
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


def test_validators_of_fields_and_of_the_model_have_their_say() -> None:
    clean = make_soniq().ref("clean", Cleaning)
    assert offer(clean, email="A@B", low=1).row.args == {"email": "a@b", "low": 1, "high": 10}
    with pytest.raises(
        InvalidArgumentsError, match=r"Arguments do not fit clean\(\): .*above high"
    ):
        offer(clean, email="a", low=11)


def test_fields_that_the_model_leaves_out_of_json_are_left_out_of_the_job() -> None:
    class Partly(BaseModel):
        order_id: int
        secret: str = Field(default="s", exclude=True)

    assert offer(make_soniq().ref("partly", Partly), order_id=1).row.args == {"order_id": 1}


class Inner(BaseModel):
    """A model inside the arguments."""

    x: int
    at: datetime


class Outer(BaseModel):
    """Arguments of several kinds."""

    inner: Inner
    many: list[Inner] = []
    pair: tuple[int, str] = (1, "a")
    lasts: timedelta = timedelta(hours=1)
    raw: bytes = b"\xff"


def test_values_are_stored_as_a_handler_with_the_same_annotations_reads_them() -> None:
    def reader(
        inner: Inner, many: list[Inner], pair: tuple[int, str], lasts: timedelta, raw: bytes
    ) -> None:
        del inner, many, pair, lasts, raw

    inner = Inner(x=1, at=datetime(2026, 1, 1, tzinfo=UTC))
    handle = offer(make_soniq().ref("outer", Outer), inner=inner, many=[inner])
    assert back(handle, make_soniq().job(reader)) == {
        "inner": inner,
        "many": [inner],
        "pair": (1, "a"),
        "lasts": timedelta(hours=1),
        "raw": b"\xff",
    }


class Anything(RootModel[dict[str, int]]):
    """A model without fields."""


class Pathed(BaseModel):
    """A model that looks for its field inside another."""

    order_id: int = Field(validation_alias=AliasPath("order", "id"))


class Entities(BaseModel):
    """A model that would hold rows."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    parcels: list[Parcel]


class Unfinished(BaseModel):
    """A model with a type that is nowhere."""

    order: Nowhere  # type: ignore[name-defined] # noqa: F821 # the point


@pytest.mark.parametrize("model", [dict, InvoiceArgs(order_id=1), Anything, "InvoiceArgs", int])
def test_what_is_no_model_is_refused_at_once(model: Any) -> None:
    with pytest.raises(
        OptionError, match=r"soniq\.ref\('x', \.\.\.\) is .* takes a pydantic model"
    ):
        make_soniq().ref("x", model)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Pathed, "'order_id' of Pathed is found by the path"),
        (Entities, r"'parcels' of Entities holds an entity.*@soniq\.stub"),
        (Unfinished, "Unfinished is not complete"),
    ],
)
def test_a_model_that_cannot_hold_arguments_is_refused(model: Any, message: str) -> None:
    reference: Any = make_soniq().ref("x", model)
    with pytest.raises(TaskDefinitionError, match=message):
        offer(reference)


# A stub


def make_stub(soniq: Soniq, name: str = "billing.send", **options: Any) -> TaskRef[..., str]:
    """Return a stub of a task elsewhere."""

    @soniq.stub(name=name, **options)
    async def send(order_id: int, *, at: datetime | None = None, copy: bool = False) -> str:
        """Send it."""
        raise NotImplementedError

    return send


def test_a_stub_takes_the_arguments_of_its_signature() -> None:
    send = make_stub(make_soniq())
    at = datetime(2026, 1, 1, tzinfo=UTC)
    handle = offer(send, 3, at=at)
    assert stored(handle) == ("billing.send", {"order_id": 3, "at": "2026-01-01T00:00:00Z"})
    assert send.__doc__ == "Send it."
    assert repr(send).startswith("<TaskRef The stub billing.send in ")


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "misses the argument 'order_id'"),
        (("3",), {}, "'order_id': Input should be a valid integer"),
        ((3,), {"at": datetime(2026, 1, 1)}, "'at'.*none: write datetime"),  # noqa: DTZ001 - the point
        ((3, None), {}, "takes 1 positional arguments, 2 were given"),
        ((3,), {"copi": True}, "Did you mean 'copy'"),
    ],
)
def test_a_call_that_does_not_fit_the_stub_is_refused(
    args: tuple[Any, ...], kwargs: dict[str, Any], message: str
) -> None:
    send: Any = make_stub(make_soniq())
    with pytest.raises(InvalidArgumentsError, match=message):
        offer(send, *args, **kwargs)


def test_a_stub_may_say_what_the_worker_supplies_as_the_handler_does() -> None:
    @make_soniq().stub(name="x")
    def send(order_id: int, ctx: JobContext = inject()) -> None:
        raise NotImplementedError

    assert offer(send, 3).row.args == {"order_id": 3}


def test_a_stub_inside_a_function_may_name_what_is_around_it() -> None:
    class Local(BaseModel):
        x: int

    @make_soniq().stub(name="x")
    def send(value: Local) -> None:
        raise NotImplementedError

    assert offer(send, Local(x=1)).row.args == {"value": {"x": 1}}


@pytest.mark.parametrize("thing", [7, "send", InvoiceArgs, print])
def test_what_is_no_function_cannot_be_a_stub(thing: Any) -> None:
    with pytest.raises(TaskDefinitionError, match=r"@soniq\.stub decorates a function"):
        make_soniq().stub(name="x")(thing)


def test_a_second_stub_of_a_name_is_refused() -> None:
    soniq = make_soniq()
    make_stub(soniq)
    with pytest.raises(
        TaskDefinitionError, match=r"Two stubs are named 'billing\.send'.*test_refs"
    ):
        make_stub(soniq)


# A name alone


def test_a_name_is_the_task_of_that_name_wherever_it_is_defined() -> None:
    soniq = make_soniq()
    early = soniq.ref("send")

    @soniq.job(name="send", aliases=["post"], queue="mail", priority=7, retries=1)
    def send(order_id: int, at: datetime | None = None) -> None:
        del order_id, at

    for reference in (early, soniq.ref("send"), soniq.ref("post")):
        handle = offer(reference, 3, at=datetime(2026, 1, 1, tzinfo=UTC))
        assert stored(handle) == ("send", {"order_id": 3, "at": "2026-01-01T00:00:00Z"})
        assert handle.name == "send"
        assert (handle.row.queue, handle.row.priority, handle.row.max_attempts) == ("mail", 7, 2)
        with pytest.raises(InvalidArgumentsError, match="'order_id'"):
            offer(reference, "3")


def test_a_name_is_the_stub_of_that_name_and_then_the_task() -> None:
    soniq = make_soniq()
    reference = soniq.ref("billing.send", priority=7)
    make_stub(soniq, queue="billing")
    handle = offer(reference, 3)
    assert (handle.row.queue, handle.row.priority) == ("billing", 7)
    with pytest.raises(InvalidArgumentsError, match="'order_id'"):
        offer(reference, "3")

    @soniq.job(name="billing.send", queue="other")
    async def send(order_id: int, *, at: datetime | None = None, copy: bool = False) -> str:
        raise NotImplementedError

    assert offer(reference, 3).row.queue == "other"


def test_a_name_that_nothing_declares_is_refused_with_the_one_that_was_meant() -> None:
    soniq = make_soniq()
    make_stub(soniq)
    session = Session()
    with pytest.raises(UnknownTaskError, match=r"'biling\.send'.*Did you mean 'billing\.send'"):
        enqueue(session, soniq.ref("biling.send"), order_id=3)
    with pytest.raises(LookupError):
        enqueue_many(session, soniq.ref("biling.send"), [])
    assert not session.new


def test_a_name_that_nothing_declares_is_warned_of_where_it_is_enqueued() -> None:
    soniq = make_soniq(unknown_tasks="warn")
    with pytest.warns(UnknownTaskWarning, match="'elsewhere'.*is stored, and waits") as caught:
        handle = enqueue(Session(), soniq.ref("elsewhere"), order_id=3)
    assert [one.filename for one in caught] == [__file__]
    assert stored(handle) == ("elsewhere", {"order_id": 3})


def test_a_name_that_nothing_declares_may_be_taken_in_silence() -> None:
    reference = make_soniq(unknown_tasks="none").ref("elsewhere", queue="far")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        handle = offer(reference, order_id=3, lines=[{"a": None, "b": [1.5, "x"]}])
    assert handle.row.args == {"order_id": 3, "lines": [{"a": None, "b": [1.5, "x"]}]}
    assert handle.row.queue == "far"


def test_arguments_of_an_unknown_task_have_names() -> None:
    with pytest.raises(InvalidArgumentsError, match=r"order of its arguments\. Give them by name"):
        offer(make_soniq(unknown_tasks="none").ref("elsewhere"), 3)


def test_a_value_for_an_unknown_task_that_json_does_not_know_is_refused_with_a_way_out() -> None:
    reference = make_soniq(unknown_tasks="none").ref("elsewhere")
    with pytest.raises(InvalidArgumentsError, match=r"'at' is .*Write soniq\.ref\(name, Model\)"):
        offer(reference, at=datetime(2026, 1, 1, tzinfo=UTC))


class Unspeakable:
    """Cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize("annotation", [int, Any])
def test_a_value_that_cannot_be_shown_is_refused_all_the_same(annotation: Any) -> None:
    for make in (task_taking, by_model, by_stub, by_name):
        with pytest.raises(InvalidArgumentsError):
            offer(make(annotation), value=Unspeakable())


@pytest.mark.parametrize("choice", ["Strict", "off", None, True])
def test_another_choice_for_unknown_tasks_is_refused(choice: Any) -> None:
    with pytest.raises(OptionError, match=r"unknown_tasks=.* it takes 'strict', 'warn' or 'none'"):
        make_soniq(unknown_tasks=choice)


def test_a_session_takes_no_name_and_says_what_to_write() -> None:
    name: Any = "billing.send"
    with pytest.raises(InvalidArgumentsError, match=r"Write soniq\.ref\('billing\.send'\)"):
        enqueue(Session(), name, order_id=3)
    with pytest.raises(InvalidArgumentsError, match=r"Write soniq\.ref\('billing\.send'\)"):
        enqueue_many(Session(), name, [])


# Every kind of reference

Make = Callable[..., TaskRef[..., Any]]


def by_model(annotation: Any) -> TaskRef[..., Any]:
    """Return a reference with one argument, ``value``, of the given type."""
    model = create_model("Model", value=(annotation, ...))
    return make_soniq().ref("taking", model)


def by_stub(annotation: Any) -> TaskRef[..., Any]:
    """Return a stub with one argument, ``value``, of the given type."""

    def function(value: Any) -> None:
        del value

    function.__annotations__ = {"value": annotation}
    return make_soniq().stub(name="taking")(function)


def by_name(_annotation: Any) -> TaskRef[..., Any]:
    """Return a reference of which only the name is known."""
    return make_soniq(unknown_tasks="none").ref("taking")


KINDS = pytest.mark.parametrize("make", [by_model, by_stub, by_name])


OTHERS = {name: pair for name, pair in DISGUISED.items() if name != "date or text"}
"""Without a text that is refused for its annotation alone."""


@KINDS
@pytest.mark.parametrize(("annotation", "value"), (HOSTILE | OTHERS).values(), ids=HOSTILE | OTHERS)
def test_a_hostile_value_is_refused_where_it_is_enqueued(
    make: Make, annotation: Any, value: Any
) -> None:
    session = Session()
    with pytest.raises(InvalidArgumentsError) as error:
        enqueue(session, make(annotation), value=value)
    assert "taking" in str(error.value)
    assert len(str(error.value)) < 2_000
    assert not session.new


@KINDS
def test_a_bad_row_of_many_is_numbered_and_adds_none(make: Make) -> None:
    session = Session()
    with pytest.raises(InvalidArgumentsError) as error:
        enqueue_many(session, make(int), [{"value": 1}, {"value": {2}}])
    assert error.value.__notes__ == ["In row 1 of enqueue_many."]
    assert not session.new


@KINDS
def test_options_are_those_of_a_task(make: Make) -> None:
    reference = make(int).options(queue="far", priority=3, tags=["a"]).options(delay=60, retries=0)
    row = offer(reference, value=1).row
    assert (row.queue, row.priority, row.tags, row.max_attempts) == ("far", 3, ["a"], 1)
    assert row.state == "scheduled"
    plain = offer(make(int), value=1).row
    assert (plain.queue, plain.priority, plain.max_attempts) == ("default", 100, 4)


@KINDS
def test_a_later_time_stands_in_the_place_of_an_earlier_one(make: Make) -> None:
    at = datetime(2040, 1, 1, tzinfo=UTC)
    assert make(int).options(delay=60).options(run_at=at).defaults.run_at == at
    assert make(int).options(run_at=at).options(delay=60).defaults.run_at is None


WAYS: dict[str, Callable[..., Any]] = {
    "ref": lambda soniq, **options: soniq.ref("x", **options),
    "ref with a model": lambda soniq, **options: soniq.ref("x", InvoiceArgs, **options),
    "stub": lambda soniq, **options: make_stub(soniq, "x", **options),
}
WAY = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


@WAY
@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        ({"prioritty": 1}, UnknownOptionError),
        ({"priority": 0}, OptionError),
        ({"queue": "b c"}, OptionError),
        ({"queue": "biling"}, UnknownQueueError),
        ({"columns": {"tenant": 1}}, UnknownOptionError),
    ],
)
def test_a_bad_option_is_refused_where_it_is_given(
    way: Callable[..., Any], options: dict[str, Any], refusal: type[Exception]
) -> None:
    soniq = make_soniq(queues=["billing"])
    with pytest.raises(refusal):
        way(soniq, **options)
    assert soniq.tasks.known("x") is None


@pytest.mark.parametrize("name", ["", "a b", "x" * 256, 7, "a\0"])
def test_what_cannot_name_a_task_is_refused(name: Any) -> None:
    for way in (make_soniq().ref, lambda one: make_soniq().stub(name=one)):
        with pytest.raises(OptionError, match="cannot name a task"):
            way(name)


# What is said of a task that is here as well


def invoice_task(soniq: Soniq, **options: Any) -> Any:
    """Register the task that the stub and the model tell of."""

    @soniq.job(**{"name": "billing.send", "queue": "billing", **options})
    async def send(
        order_id: int,
        *,
        at: datetime | None = None,
        copy: bool = False,
        ctx: JobContext = inject(),
    ) -> str:
        raise NotImplementedError

    return send


@pytest.mark.parametrize("task_first", [True, False])
def test_a_stub_that_agrees_has_the_defaults_of_the_task_and_options_of_its_own(
    *, task_first: bool
) -> None:
    soniq = make_soniq()
    if task_first:
        invoice_task(soniq, retries=0)
    stub = make_stub(soniq, priority=5)
    if not task_first:
        invoice_task(soniq, retries=0)
    row = offer(stub, 3).row
    assert (row.queue, row.priority, row.max_attempts) == ("billing", 5, 1)
    assert offer(stub.options(queue="other"), 3).row.queue == "other"
    again = offer(stub.options(queue="other").options(tags=["a"]), 3).row
    assert (again.queue, again.priority, again.tags, again.max_attempts) == ("other", 5, ["a"], 1)
    soniq.tasks.check_stubs()


def test_a_stub_by_an_earlier_name_makes_jobs_of_the_present_one() -> None:
    soniq = make_soniq()
    stub = make_stub(soniq, "mail.send")
    invoice_task(soniq, aliases=["mail.send"])
    assert stored(offer(stub, 3)) == ("billing.send", {"order_id": 3})


def lacks_one(order_id: int) -> str:
    raise NotImplementedError


def has_another(order_id: int, copies: int = 1) -> str:
    raise NotImplementedError


def of_another_type(order_id: str) -> str:
    raise NotImplementedError


def needs_less(order_id: int = 3) -> str:
    raise NotImplementedError


def takes_entity(order_id: Parcel) -> str:
    raise NotImplementedError


def returns_another(order_id: int) -> int:
    raise NotImplementedError


def returns_anything(order_id: int):  # type: ignore[no-untyped-def] # noqa: ANN201 # the point
    raise NotImplementedError


@pytest.mark.parametrize(
    ("function", "differs"),
    [
        (has_another, "the task has no argument 'copies'"),
        (
            of_another_type,
            "the argument 'order_id' is <class 'str'>, and in the task <class 'int'>",
        ),
        (needs_less, "the task needs the argument 'order_id'"),
        (takes_entity, "the argument 'order_id' is one Parcel, and in the task <class 'int'>"),
        (returns_another, "it returns <class 'int'>, and the task returns <class 'str'>"),
    ],
)
def test_a_stub_that_differs_from_the_task_here_is_refused(function: Any, differs: str) -> None:
    soniq = make_soniq()
    stub = soniq.stub(name="billing.send")(function)
    invoice_task(soniq)
    message = rf"The stub billing\.send in .*test_refs\.py:\d+ does not fit .*: {differs}"
    with pytest.raises(TaskDefinitionError, match=message):
        soniq.tasks.check_stubs()
    with pytest.raises(TaskDefinitionError, match=message):
        offer(stub, 3)


@pytest.mark.parametrize("function", [lacks_one, returns_anything])
def test_a_stub_may_leave_out_what_need_not_be_given(function: Any) -> None:
    soniq = make_soniq()
    stub = soniq.stub(name="billing.send")(function)
    invoice_task(soniq)
    assert offer(stub, 3).row.args == {"order_id": 3}


class Positive(BaseModel):
    """Arguments that are narrower than the handler's."""

    order_id: int = Field(gt=0)
    copy_it: bool = Field(default=True, alias="copy")


class Fitting(BaseModel):
    """Arguments of the task, narrower, and with a default of their own."""

    order_id: int = Field(gt=0)
    at: datetime | None = None


class Lacking(BaseModel):
    """Not all that the task needs."""

    at: datetime | None = None


def test_a_model_fits_a_task_that_is_here_if_the_names_do() -> None:
    soniq = make_soniq()
    invoice_task(soniq, retries=0)
    row = offer(soniq.ref("billing.send", Fitting), order_id=3).row
    assert (row.queue, row.max_attempts, row.args) == ("billing", 1, {"order_id": 3, "at": None})


@pytest.mark.parametrize(
    ("model", "given", "differs"),
    [
        (Positive, {"order_id": 3}, "the task has no argument 'copy_it'"),
        (Lacking, {}, "the task needs the argument 'order_id'"),
    ],
)
def test_a_model_that_differs_from_the_task_here_is_refused(
    model: Any, given: dict[str, Any], differs: str
) -> None:
    soniq = make_soniq()
    invoice_task(soniq)
    reference: Any = soniq.ref("billing.send", model)
    with pytest.raises(TaskDefinitionError, match=differs):
        offer(reference, **given)


def test_a_stub_is_no_task_of_the_workers() -> None:
    soniq = make_soniq()
    make_stub(soniq, queue="billing")
    assert soniq.tasks.names == []
    assert soniq.tasks.queues == {"default"}


def test_a_reference_is_no_handler() -> None:
    soniq = make_soniq()
    task = soniq.job(name="work")(lacks_one)
    for thing in (make_stub(soniq), task):
        with pytest.raises(TaskDefinitionError, match="is a task already"):
            soniq.job(name="again")(thing)  # type: ignore[call-overload] # the point


def test_a_codec_is_made_once_for_all_copies_with_options() -> None:
    soniq = make_soniq()
    task = invoice_task(soniq)
    tagged = [task.options(tags=[str(n)]) for n in range(3)]
    assert len({id(one.codec) for one in [*tagged, task]}) == 1
