"""Which functions can be tasks, and what their annotations may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from soniq_sa import (
    AsyncSoniqSession,
    InvalidArgumentsError,
    JobContext,
    Locked,
    SoniqSession,
    Task,
    TaskDefinitionError,
    enqueue_many,
    inject,
)
from tests.words.app import back, make_soniq, offer

if TYPE_CHECKING:
    from fractions import Fraction


class Base(DeclarativeBase):
    """Entities that no session holds."""


class Order(Base):
    """An entity."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)


def test_a_class_that_only_the_function_around_the_handler_knows_is_found() -> None:
    @dataclass
    class Line:
        price: int

    soniq = make_soniq()

    @soniq.job
    def send(lines: list[Line]) -> None:
        del lines

    assert back(offer(send, [Line(1)]), send) == {"lines": [Line(1)]}


def test_a_local_class_is_found_behind_a_helper_that_registers() -> None:
    def register(function: Callable[..., Any]) -> Task[..., Any]:
        return make_soniq().job(function)

    @dataclass
    class Line:
        price: int

    @register
    def send(line: Line) -> None:
        del line

    assert back(offer(send, Line(1)), send) == {"line": Line(1)}


def test_a_local_class_is_found_from_a_function_inside_the_function() -> None:
    @dataclass
    class Line:
        price: int

    def register() -> Task[..., Any]:
        @make_soniq().job
        def send(line: Line) -> None:
            del line

        return send

    task = register()
    assert back(offer(task, Line(1)), task) == {"line": Line(1)}


def test_a_class_defined_below_the_handler_is_found() -> None:
    assert back(offer(early, Late(1)), early) == {"late": Late(1)}


@make_soniq().job
def early(late: Late) -> None:
    del late


@dataclass
class Late:
    """Not there yet when the task is registered."""

    number: int


def test_an_annotation_for_type_checkers_alone_is_refused_with_its_name() -> None:
    def send(share: Fraction) -> None:
        del share

    task = make_soniq().job(send)
    with pytest.raises(TaskDefinitionError, match=r"'Fraction' cannot be resolved.*at run time"):
        offer(task, 1)


def test_an_argument_without_an_annotation_takes_what_json_takes() -> None:
    def send(value) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - the point
        del value

    task = make_soniq().job(send)
    assert back(offer(task, {"a": [1, None]}), task) == {"value": {"a": [1, None]}}
    with pytest.raises(InvalidArgumentsError):
        offer(task, (1,))


@pytest.mark.parametrize(
    "handler",
    [lambda *args: None, lambda **kwargs: None, lambda a, *args, b=1: None],  # noqa: ARG005
    ids=["*args", "**kwargs", "*args in between"],
)
def test_any_number_of_arguments_is_refused(handler: Any) -> None:
    with pytest.raises(TaskDefinitionError, match="Take a list or a dict instead"):
        offer(make_soniq().job(name="task")(handler))


def test_positional_only_and_keyword_only_arguments_are_bound_as_in_a_call() -> None:
    def send(number: int, /, day: date, *, text: str = "") -> None:
        del number, day, text

    task = make_soniq().job(send)
    day = date(2026, 1, 1)
    for handle in (offer(task, 1, day, text="a"), offer(task, 1, text="a", day=day)):
        assert back(handle, task) == {"number": 1, "day": day, "text": "a"}


def test_a_positional_only_argument_is_given_by_name_in_rows_of_many() -> None:
    def send(number: int, /) -> None:
        del number

    assert len(enqueue_many(Session(), make_soniq().job(send), [{"number": 1}])) == 1


def test_a_keyword_only_argument_given_by_position_is_refused() -> None:
    def send(*, number: int) -> None:
        del number

    with pytest.raises(InvalidArgumentsError, match="0 positional arguments, 1 were given"):
        offer(make_soniq().job(send), 1)  # type: ignore[call-arg] # the point


async def with_async(
    number: int,
    ctx: JobContext = inject(),
    session: AsyncSession = inject(),
    own: Annotated[AsyncSoniqSession, "mine"] = inject(),
) -> None:
    del number, ctx, session, own


def with_sync(
    number: int,
    *,
    ctx: JobContext = inject(),
    session: Session = inject(),
    own: SoniqSession = inject(),
) -> None:
    del number, ctx, session, own


@pytest.mark.parametrize("handler", [with_async, with_sync])
def test_what_is_injected_is_left_out_by_callers(handler: Any) -> None:
    task = make_soniq().job(handler)
    assert offer(task, 1).row.args == {"number": 1}
    for name in ("ctx", "session", "own"):
        with pytest.raises(InvalidArgumentsError, match=f"{name!r} is supplied by the worker"):
            offer(task, 1, **{name: None})


def injecting(kind: Any, *, is_async: bool) -> Task[..., Any]:
    async def async_handler(value: Any = inject()) -> None:
        del value

    def sync_handler(value: Any = inject()) -> None:
        del value

    handler = async_handler if is_async else sync_handler
    handler.__annotations__ = {} if kind is None else {"value": kind}
    return make_soniq().job(handler)


@pytest.mark.parametrize(
    "kind", [JobContext, JobContext | None, AsyncSession, Session, AsyncSoniqSession | None]
)
def test_what_only_the_worker_has_is_no_argument(kind: Any) -> None:
    def handler(value: Any, ctx: Any = None) -> None:
        del value, ctx

    handler.__annotations__ = {"ctx": kind}
    with pytest.raises(TaskDefinitionError, match=r"Write: ctx: \w+ = inject\(\)"):
        offer(make_soniq().job(handler), 1)


@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
@pytest.mark.parametrize("kind", [None, int, str, Order, JobContext | None, "JobContext | int"])
def test_only_context_and_sessions_are_injected(kind: Any, *, is_async: bool) -> None:
    with pytest.raises(TaskDefinitionError, match="What can be injected: JobContext"):
        offer(injecting(kind, is_async=is_async))


@pytest.mark.parametrize(
    ("kind", "is_async"),
    [(AsyncSession, False), (AsyncSoniqSession, False), (Session, True), (SoniqSession, True)],
)
def test_a_handler_takes_the_kind_of_session_that_it_can_use(kind: Any, *, is_async: bool) -> None:
    with pytest.raises(
        TaskDefinitionError,
        match="An async handler takes an AsyncSession, a sync handler a Session",
    ):
        offer(injecting(kind, is_async=is_async))


@pytest.mark.parametrize(
    "annotation",
    [
        set[Order],
        tuple[Order, ...],
        dict[int, Order],
        list[list[Order]],
        dict[str, list[Order]],
        Order | int,
        list[Order | int],
        Annotated[set[Order], Locked],
    ],
    ids=str,
)
def test_entities_where_they_cannot_be_are_refused(annotation: Any) -> None:
    def handler(value: Any) -> None:
        del value

    handler.__annotations__ = {"value": annotation}
    with pytest.raises(TaskDefinitionError, match="An entity can be an argument as"):
        offer(make_soniq().job(handler), [])


@pytest.mark.parametrize("annotation", [Session, Callable[[], int], type[int], "object()"], ids=str)
def test_a_type_that_json_cannot_hold_is_refused(annotation: Any) -> None:
    def handler(value: Any) -> None:
        del value

    handler.__annotations__ = {"value": annotation}
    with pytest.raises((TaskDefinitionError, InvalidArgumentsError)):
        offer(make_soniq().job(handler), print)
