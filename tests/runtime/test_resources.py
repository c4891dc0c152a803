"""Resources: opened before the first claim, shared by the handlers, closed after the last one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Generic, Self, TypeVar

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from soniq_sa import (
    ConfigurationError,
    JobContext,
    ResourceError,
    TaskDefinitionError,
    Worker,
    inject,
)
from soniq_sa.events import ResourceFailed, WorkerStarted, WorkerStopped
from soniq_sa.resources import Resources, make_resource
from soniq_sa.runtime import lifespan
from tests.cli.commands import soniq_sa
from tests.runtime.bench import PATIENCE, Bench
from tests.runtime.models import Effect, Order


@dataclass
class Client:
    """What handlers share."""

    name: str = "client"
    used: list[Any] = field(default_factory=list)


class SpecialClient(Client):
    """A kind of client."""


@dataclass
class Model:
    """Something else."""


class Managed:
    """A context manager that provides itself."""

    entered = 0

    async def __aenter__(self) -> Self:
        type(self).entered += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        type(self).entered -= 1


T = TypeVar("T")


class Pool(Generic[T]):
    """Something with a parameter."""


class Diary(list[str]):
    """What happened, in its order."""

    def source(self, kind: type[Any], name: str) -> Any:
        """Return a resource that notes when it is opened and closed."""

        async def source() -> AsyncIterator[Any]:
            self.append(f"open {name}")
            yield kind()
            self.append(f"close {name}")

        source.__annotations__["return"] = AsyncIterator[kind]
        return source


async def test_a_resource_is_open_while_the_worker_works(bench: Bench) -> None:
    seen: list[Any] = []

    @bench.soniq.resource
    async def client() -> AsyncIterator[Client]:
        seen.append(("open", len(bench.events_of(WorkerStarted))))
        yield Client()
        seen.append(("close", len(bench.events_of(WorkerStopped))))

    @bench.task()
    async def task(number: int, *, client: Client = inject()) -> None:
        seen.append((number, client.name))

    for number in range(2):
        await bench.soniq.enqueue(task, number)
    await bench.run_once()
    assert seen == [("open", 0), (0, "client"), (1, "client"), ("close", 1)]


async def test_handlers_of_every_kind_share_one_value(bench: Bench) -> None:
    bench.soniq.resource(Diary().source(Client, "client"))
    got: list[Client] = []

    @bench.task()
    async def plain(client: Client = inject()) -> None:
        got.append(client)

    @bench.task()
    def thread(client: Annotated[Client, "mine"] = inject(), ctx: JobContext = inject()) -> None:
        assert ctx.task == "thread"
        got.append(client)

    @bench.task()
    async def session(
        order: Order, *, session: AsyncSession = inject(), client: Client = inject()
    ) -> None:
        session.add(Effect(note=str(order.id)))
        got.append(client)

    @bench.task()
    def session_in_thread(client: Client = inject(), session: Session = inject()) -> None:
        session.add(Effect(note="thread"))
        got.append(client)

    order = Order(id=7)
    await bench.add(order)
    for task in (plain, thread, session_in_thread):
        await bench.soniq.enqueue(task)
    await bench.soniq.enqueue(session, order)
    await bench.run_once()
    assert len(got) == 4
    assert all(one is got[0] for one in got)
    assert sorted(filter(None, await bench.effects())) == ["7", "thread"]


async def test_hooks_and_resources_go_together(bench: Bench) -> None:
    bench.soniq.resource(Diary().source(Client, "client"))
    seen: list[Any] = []
    bench.soniq.after_job(lambda _, result: seen.append(result))

    @bench.task()
    async def task(client: Client = inject()) -> str:
        return client.name

    await bench.soniq.enqueue(task)
    await bench.run_once()
    assert seen == ["client"]


async def test_a_task_is_enqueued_where_its_resource_is_not_known(bench: Bench) -> None:
    @bench.task()
    async def task(number: int, client: Client = inject()) -> None:
        del number, client

    handle = await bench.soniq.enqueue(task, 1)
    assert (await bench.row(handle)).args == {"number": 1}
    with pytest.raises(TaskDefinitionError, match=r"'client' asks to be injected as Client.*none"):
        await bench.run_once()
    bench.soniq.resource(Diary().source(Client, "client"))
    await bench.run_once()
    assert (await bench.row(handle)).state == "done"


async def test_a_task_with_a_resource_can_be_called_directly(bench: Bench) -> None:
    @bench.task()
    async def task(client: Client = inject()) -> str:
        return client.name

    assert await task(client=Client("fake")) == "fake"


async def test_resources_are_closed_in_the_opposite_order(bench: Bench) -> None:
    diary = Diary()
    bench.soniq.resource(diary.source(Client, "client"))
    bench.soniq.resource(diary.source(Model, "model"))
    async with bench.worker():
        assert diary == ["open client", "open model"]
    assert diary[2:] == ["close model", "close client"]


async def test_a_resource_is_closed_after_the_last_handler_has_ended(bench: Bench) -> None:
    diary = Diary()
    bench.soniq.resource(diary.source(Client, "client"))
    started, go_on = asyncio.Event(), asyncio.Event()

    @bench.task()
    async def task(client: Client = inject()) -> None:
        del client
        started.set()
        await go_on.wait()
        diary.append("end of handler")

    handle = await bench.soniq.enqueue(task)
    worker = Worker(bench.soniq)
    running = asyncio.create_task(worker.run())
    await asyncio.wait_for(started.wait(), PATIENCE)
    worker.stop()
    go_on.set()
    await asyncio.wait_for(running, PATIENCE)
    assert diary == ["open client", "end of handler", "close client"]
    assert (await bench.row(handle)).state == "done"


async def test_each_worker_has_its_own(bench: Bench) -> None:
    made: list[Client] = []

    @bench.soniq.resource
    async def client() -> AsyncIterator[Client]:
        made.append(Client())
        yield made[-1]

    async with bench.worker(), bench.worker():
        assert len(made) == 2
    assert made[0] is not made[1]


async def test_a_sync_resource_is_opened_and_closed_in_a_thread(bench: Bench) -> None:
    threads: list[threading.Thread] = []

    @bench.soniq.resource
    def client() -> Iterator[Client]:
        threads.append(threading.current_thread())
        yield Client()
        threads.append(threading.current_thread())

    await bench.run_once()
    assert len(threads) == 2
    assert threading.main_thread() not in threads


async def open_async() -> AsyncGenerator[Client, None]:
    """Yield a client."""
    yield Client()


def open_sync() -> Generator[Client, None, None]:
    """Yield a client."""
    yield Client()


@contextlib.asynccontextmanager
async def manage_async() -> AsyncIterator[Client]:
    """Yield a client."""
    yield Client()


@contextlib.contextmanager
def manage_sync() -> Iterator[Client]:
    """Yield a client."""
    yield Client()


def return_async() -> contextlib.AbstractAsyncContextManager[Client]:
    """Return what yields a client."""
    return manage_async()


def return_sync() -> contextlib.AbstractContextManager[Client]:
    """Return what yields a client."""
    return contextlib.nullcontext(Client())


@pytest.mark.parametrize(
    "source", [open_async, open_sync, manage_async, manage_sync, return_async, return_sync]
)
async def test_a_resource_may_be_written_in_many_ways(
    bench: Bench, source: Callable[[], Any]
) -> None:
    assert bench.soniq.resource(source) is source
    got: list[Client] = []

    @bench.task()
    async def task(client: Client = inject()) -> None:
        got.append(client)

    await bench.soniq.enqueue(task)
    await bench.run_once()
    assert got == [Client()]


def make_managed() -> Managed:
    """Return what provides itself."""
    return Managed()


@pytest.mark.parametrize("source", [Managed, make_managed])
async def test_a_context_manager_that_provides_itself_is_a_resource(
    bench: Bench, source: Callable[[], Managed]
) -> None:
    bench.soniq.resource(source)
    got: list[int] = []

    @bench.task()
    async def task(managed: Managed = inject()) -> None:
        got.append(managed.entered)

    await bench.soniq.enqueue(task)
    await bench.run_once()
    assert got == [1]
    assert Managed.entered == 0


async def test_a_resource_is_found_by_a_class_above_its_own(bench: Bench) -> None:
    diary = Diary()
    bench.soniq.resource(diary.source(SpecialClient, "special"))
    bench.soniq.resource(diary.source(Model, "model"))
    got: list[Any] = []

    @bench.task()
    async def task(client: Client = inject(), model: Model = inject()) -> None:
        got.extend([type(client), type(model)])

    await bench.soniq.enqueue(task)
    await bench.run_once()
    assert got == [SpecialClient, Model]


async def test_the_exact_type_comes_before_classes_below_it(bench: Bench) -> None:
    bench.soniq.resource(Diary().source(SpecialClient, "special"))
    bench.soniq.resource(Diary().source(Client, "client"))
    got: list[Any] = []

    @bench.task()
    async def task(client: Client = inject(), special: SpecialClient = inject()) -> None:
        got.extend([type(client), type(special)])

    await bench.soniq.enqueue(task)
    await bench.run_once()
    assert got == [Client, SpecialClient]


async def test_a_type_that_two_resources_fit_is_refused(bench: Bench) -> None:
    class OtherClient(Client):
        pass

    bench.soniq.resource(Diary().source(SpecialClient, "special"))
    bench.soniq.resource(Diary().source(OtherClient, "other"))

    @bench.task()
    async def task(client: Client = inject()) -> None:
        del client

    with pytest.raises(TaskDefinitionError, match=r"may be SpecialClient .* and .*OtherClient"):
        await bench.run_once()


async def test_an_unknown_type_is_refused_with_the_known_ones(bench: Bench) -> None:
    diary = Diary()
    bench.soniq.resource(diary.source(Client, "client"))

    @bench.task(name="render")
    async def task(model: Model = inject()) -> None:
        del model

    with pytest.raises(
        TaskDefinitionError,
        match=r"Task render: parameter 'model' asks to be injected as Model.*resources: Client",
    ):
        await bench.run_once()
    assert not bench.events_of(WorkerStarted)
    assert diary == []


async def test_a_type_with_parameters_is_found_by_the_same_ones(bench: Bench) -> None:
    bench.soniq.resource(Diary().source(Pool[int], "numbers"))  # type: ignore[arg-type]
    bench.soniq.resource(Diary().source(Pool[str], "texts"))  # type: ignore[arg-type]
    got: list[Any] = []

    @bench.task()
    async def task(pool: Pool[str] = inject()) -> None:
        got.append(pool)

    await bench.soniq.enqueue(task)
    await bench.run_once()
    assert [one.__orig_class__ for one in got] == [Pool[str]]


async def test_a_type_with_other_parameters_is_refused_and_one_without_is_found(
    bench: Bench,
) -> None:
    bench.soniq.resource(Diary().source(Pool[int], "numbers"))  # type: ignore[arg-type]
    got: list[Any] = []

    @bench.task()
    async def plain(pool: Pool = inject()) -> None:  # type: ignore[type-arg]
        got.append(pool)

    await bench.soniq.enqueue(plain)
    await bench.run_once()
    assert len(got) == 1

    @bench.task()
    async def texts(pool: Pool[str] = inject()) -> None:
        del pool

    with pytest.raises(TaskDefinitionError, match=r"asks to be injected as .*Pool\[str\]"):
        await bench.run_once()


def test_a_resource_in_a_positional_parameter_is_refused(bench: Bench) -> None:
    @bench.task()
    async def task(client: Client = inject(), /) -> None:
        del client

    with pytest.raises(TaskDefinitionError, match="'client' is positional-only"):
        _ = task.codec


def test_two_resources_of_one_type_are_refused(bench: Bench) -> None:
    bench.soniq.resource(open_async)
    with pytest.raises(ConfigurationError, match=r"Two resources provide Client: .*open_async and"):
        bench.soniq.resource(open_sync)


async def test_two_applications_share_no_resources(bench: Bench, url: str) -> None:
    diary = Diary()
    bench.soniq.resource(diary.source(Client, "client"))
    other = Bench(url)
    async with other.worker():
        pass
    await other.engine.dispose()
    assert diary == []


async def _bare():  # type: ignore[no-untyped-def] # noqa: ANN202
    yield Client()


async def _any() -> AsyncIterator[Any]:
    yield Client()


async def _text() -> AsyncIterator[str]:
    yield "text"


async def _either() -> AsyncIterator[Client | Model]:
    yield Client()


async def _session() -> AsyncIterator[AsyncSession]:
    yield AsyncSession()


async def _needing(name: str) -> AsyncIterator[Client]:
    yield Client(name)


async def _coroutine() -> Client:
    return Client()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (_bare, "does not tell what it provides"),
        (_coroutine, "does not tell what it provides"),
        (_any, "handlers get a resource by its type"),
        (_text, "handlers get a resource by its type"),
        (_either, "handlers get a resource by its type"),
        (_session, "handlers get a resource by its type"),
        (_needing, "called without arguments"),
        (Client, "is a class that is no context manager"),
        (Client(), "takes a function"),
        (None, "takes a function"),
    ],
)
def test_what_cannot_be_a_resource_is_refused(source: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Resources().add(make_resource(source))


@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
async def test_a_resource_that_cannot_be_opened_stops_the_worker(
    bench: Bench, *, is_async: bool
) -> None:
    diary = Diary()
    bench.soniq.resource(diary.source(Client, "client"))

    async def broken() -> AsyncIterator[Model]:
        raise ConnectionError("no route to the model")
        yield Model()

    def broken_in_a_thread() -> Iterator[Model]:
        raise ConnectionError("no route to the model")
        yield Model()

    bench.soniq.resource(broken if is_async else broken_in_a_thread)

    @bench.task()
    async def task() -> None:
        """Never run."""

    handle = await bench.soniq.enqueue(task)
    with pytest.raises(ResourceError, match=r"broken\S* could not be opened.*no route") as caught:
        await bench.run_once()
    assert isinstance(caught.value.__cause__, ConnectionError)
    assert diary == ["open client", "close client"]
    row = await bench.row(handle)
    assert (row.state, row.claims) == ("queued", 0)
    assert await bench.rows("SELECT * FROM soniq_workers") == []
    (failed,) = bench.events_of(ResourceFailed)
    assert failed.when == "at opening"
    assert "no route to the model" in failed.error


async def test_a_resource_that_yields_nothing_stops_the_worker(bench: Bench) -> None:
    @bench.soniq.resource
    async def empty() -> AsyncIterator[Client]:
        if bench is None:
            yield Client()

    with pytest.raises(ResourceError, match="didn't yield"):
        await bench.run_once()


async def test_a_function_that_returns_no_context_manager_stops_the_worker(bench: Bench) -> None:
    @bench.soniq.resource
    def wrong() -> contextlib.AbstractContextManager[Client]:
        return Client()  # type: ignore[return-value]

    with pytest.raises(ResourceError, match="wrong could not be opened"):
        await bench.run_once()


async def test_a_worker_that_is_stopped_while_a_resource_opens_ends(bench: Bench) -> None:
    diary = Diary()
    opening = asyncio.Event()
    bench.soniq.resource(diary.source(Client, "client"))

    @bench.soniq.resource
    async def slow() -> AsyncIterator[Model]:
        opening.set()
        await asyncio.Event().wait()
        yield Model()

    worker = Worker(bench.soniq)
    running = asyncio.create_task(worker.run())
    await asyncio.wait_for(opening.wait(), PATIENCE)
    worker.stop()
    await asyncio.wait_for(running, PATIENCE)
    assert diary == ["open client", "close client"]
    assert not bench.events_of(WorkerStarted)


async def test_an_error_at_closing_is_reported_and_the_others_are_closed(bench: Bench) -> None:
    diary = Diary()
    bench.soniq.resource(diary.source(Client, "client"))

    @bench.soniq.resource
    async def broken() -> AsyncIterator[Model]:
        yield Model()
        raise ConnectionError("reset")

    await bench.run_once()
    assert diary == ["open client", "close client"]
    (failed,) = bench.events_of(ResourceFailed)
    assert (failed.when, failed.resource.endswith("broken")) == ("at closing", True)
    assert "ConnectionError: reset" in failed.error


async def test_a_resource_that_does_not_close_is_given_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifespan, "_CLOSE_GRACE", 0.1)
    diary = Diary()
    bench.soniq.resource(diary.source(Client, "client"))

    @bench.soniq.resource
    async def hanging() -> AsyncIterator[Model]:
        yield Model()
        await asyncio.Event().wait()

    await bench.run_once()
    assert diary == ["open client", "close client"]
    (failed,) = bench.events_of(ResourceFailed)
    assert "It was not closed in time" in failed.error


async def test_a_sync_resource_that_does_not_close_is_given_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifespan, "_CLOSE_GRACE", 0.1)
    go_on = threading.Event()

    @bench.soniq.resource
    def hanging() -> Iterator[Model]:
        yield Model()
        go_on.wait()

    await bench.run_once()
    go_on.set()
    assert len(bench.events_of(ResourceFailed)) == 1


async def test_a_task_group_may_be_a_resource(bench: Bench) -> None:
    seen: list[str] = []

    @bench.soniq.resource
    async def group() -> AsyncIterator[asyncio.TaskGroup]:
        async with asyncio.TaskGroup() as group:
            yield group

    async def later() -> None:
        await asyncio.sleep(0.01)
        seen.append("later")

    @bench.task()
    async def task(group: asyncio.TaskGroup = inject()) -> None:
        group.create_task(later())

    await bench.soniq.enqueue(task)
    await bench.run_once()
    assert seen == ["later"]
    assert not bench.events_of(ResourceFailed)


async def test_a_resource_that_ends_by_itself_stops_the_worker(bench: Bench) -> None:
    @bench.soniq.resource
    async def group() -> AsyncIterator[asyncio.TaskGroup]:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            yield group

    async def fail() -> None:
        await bench.until(lambda: bool(bench.events_of(WorkerStarted)), "the worker to start")
        raise ConnectionError("lost")

    with pytest.raises(ResourceError, match="ended while it worked"):
        await asyncio.wait_for(Worker(bench.soniq).run(), PATIENCE)
    (failed,) = bench.events_of(ResourceFailed)
    assert failed.when == "while it was in use"
    assert "ConnectionError: lost" in failed.error
    assert bench.events_of(WorkerStopped)


async def test_a_worker_that_is_cancelled_closes_its_resources(bench: Bench) -> None:
    diary = Diary()
    bench.soniq.resource(diary.source(Client, "client"))
    running = asyncio.create_task(Worker(bench.soniq).run())
    await bench.until(lambda: bool(bench.events_of(WorkerStarted)), "the worker to start")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, PATIENCE)
    assert diary == ["open client", "close client"]


async def test_resource_failures_are_logged(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    @bench.soniq.resource
    async def broken() -> AsyncIterator[Model]:
        yield Model()
        raise ConnectionError("reset")

    with caplog.at_level(logging.ERROR, "soniq_sa"):
        await bench.run_once()
    (record,) = caplog.records
    assert "failed at closing" in record.getMessage()
    assert "ConnectionError: reset" in record.getMessage()


APP = """
from collections.abc import AsyncIterator
from sqlalchemy.orm import DeclarativeBase
from soniq_sa import Soniq, inject
from soniq_sa.models import include_tables


class Base(DeclarativeBase):
    pass


class Client:
    pass


include_tables(Base.metadata)
soniq = Soniq(Base.metadata)


@soniq.resource
async def client() -> AsyncIterator[Client]:
    raise ConnectionError("no route to host")
    yield Client()


@soniq.job
async def send(client: Client = inject()) -> None:
    pass
"""


def test_the_command_exits_with_1_and_names_the_resource(tmp_path: Path, url: str) -> None:
    (tmp_path / "jobs.py").write_text(APP)
    began = time.monotonic()
    done = soniq_sa(tmp_path, "worker", "--app", "jobs:soniq", SONIQ_SA_DATABASE_URL=url)
    assert done.returncode == 1, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: The resource jobs.client could not be opened")
    assert "ConnectionError: no route to host [S01]" in last
    assert time.monotonic() - began < 30
