"""ORM instances are arguments: the handler gets them loaded in its own session."""

import asyncio
from typing import Annotated, Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from soniq_sa import JobHandle, Locked, inject
from tests.runtime.bench import Bench
from tests.runtime.models import Effect, Employee, Order, Person, Seat


async def enqueue_with(bench: Bench, task: Any, *new: Any, **arguments: Any) -> JobHandle[Any]:
    """Enqueue in the transaction that inserts the entities."""
    async with bench.sessions.begin() as session:
        session.add_all(new)
        handle: JobHandle[Any] = session.enqueue(task, **arguments)
        return handle


async def test_an_entity_without_a_key_yet_arrives_loaded_and_is_written_back(
    bench: Bench,
) -> None:
    @bench.task()
    async def pay(order: Order, session: AsyncSession = inject()) -> None:
        assert order in session
        order.total += 5

    order = Order(total=10)
    handle = await enqueue_with(bench, pay, order, order=order)
    async with bench.worker():
        await bench.until_state(handle, "done")
    assert await bench.rows("SELECT total FROM orders") == [(15,)]


async def test_an_entity_parameter_alone_gives_the_handler_a_session(bench: Bench) -> None:
    @bench.task()
    async def pay(order: Order) -> None:
        order.total = 7

    @bench.task()
    def pay_sync(order: Order) -> None:
        order.total = 8

    first, second = Order(), Order()
    async with bench.sessions.begin() as session:
        session.add_all([first, second])
        handles = [session.enqueue(pay, first), session.enqueue(pay_sync, second)]
    async with bench.worker():
        for handle in handles:
            await bench.until_state(handle, "done")
    assert await bench.rows("SELECT total FROM orders ORDER BY total") == [(7,), (8,)]


async def test_a_list_keeps_its_order_and_its_repetitions(bench: Bench) -> None:
    seen: list[list[int]] = []

    @bench.task()
    async def pack(orders: list[Order]) -> None:
        seen.append([order.total for order in orders])
        assert orders[0] is orders[2]

    first, second = Order(total=1), Order(total=2)
    handle = await enqueue_with(bench, pack, first, second, orders=[second, first, second])
    other = await enqueue_with(bench, pack, orders=[first] * 3)
    async with bench.worker():
        await bench.until_state(handle, "done")
        await bench.until_state(other, "done")
    assert sorted(seen) == [[1, 1, 1], [2, 1, 2]]


async def test_an_empty_list_and_a_dict_of_entities_arrive(bench: Bench) -> None:
    seen: list[dict[str, int]] = []

    @bench.task()
    async def pack(orders: list[Order], by_name: dict[str, Order]) -> None:
        assert orders == []
        seen.append({name: order.total for name, order in by_name.items()})

    first, second = Order(total=1), Order(total=2)
    handle = await enqueue_with(
        bench, pack, first, second, orders=[], by_name={"b": second, "a": first}
    )
    async with bench.worker():
        await bench.until_state(handle, "done")
    assert seen == [{"b": 2, "a": 1}]


async def test_a_composite_key_finds_its_row(bench: Bench) -> None:
    @bench.task()
    async def take(seat: Seat, others: list[Seat]) -> None:
        seat.taken_by = "me"
        for other in others:
            other.taken_by = "you"

    seats = [Seat(row="A", number=1), Seat(row="A", number=2), Seat(row="B", number=1)]
    handle = await enqueue_with(bench, take, *seats, seat=seats[0], others=seats[1:])
    async with bench.worker():
        await bench.until_state(handle, "done")
    rows = await bench.rows("SELECT taken_by FROM seats ORDER BY row, number")
    assert rows == [("me",), ("you",), ("you",)]


async def test_a_child_class_arrives_as_itself_through_a_parameter_of_its_parent(
    bench: Bench,
) -> None:
    kinds: list[str] = []

    @bench.task()
    async def greet(person: Person) -> None:
        kinds.append(type(person).__name__)

    @bench.task()
    async def seat(staff: Employee) -> None:
        kinds.append(staff.desk)

    employee = Employee(desk="3b")
    first = await enqueue_with(bench, greet, employee, person=employee)
    second = await enqueue_with(bench, seat, staff=employee)
    async with bench.worker(concurrency=1):
        await bench.until_state(first, "done")
        await bench.until_state(second, "done")
    assert kinds == ["Employee", "3b"]


async def gone_order(bench: Bench) -> Order:
    """Return an order whose row is deleted after the next enqueue."""
    order = Order(id=4711)
    await bench.add(order)
    return order


async def test_a_job_whose_entity_is_gone_is_dead_and_its_handler_never_called(
    bench: Bench,
) -> None:
    @bench.task(retries=9)
    async def pay(order: Order) -> None:
        raise AssertionError(order)

    @bench.task()
    def pay_sync(order: Order) -> None:
        raise AssertionError(order)

    order = await gone_order(bench)
    handles = [await bench.soniq.enqueue(task, order) for task in (pay, pay_sync)]
    await bench.rows("DELETE FROM orders")
    async with bench.worker():
        for handle in handles:
            row = await bench.until_state(handle, "dead")
            assert row.reason == "entity gone"
            assert "4711" in row.error
            assert "Order" in row.error
            assert row.attempts == 1
            (attempt,) = await bench.attempts(handle)
            assert (attempt.outcome, attempt.claim) == ("entity gone", 1)


async def test_one_missing_entity_of_a_list_makes_the_job_dead(bench: Bench) -> None:
    @bench.task()
    async def pack(orders: list[Order]) -> None:
        raise AssertionError(orders)

    kept, gone = Order(id=1), Order(id=2)
    handle = await enqueue_with(bench, pack, kept, gone, orders=[kept, gone])
    await bench.rows("DELETE FROM orders WHERE id = 2")
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert row.reason == "entity gone"
    assert "2" in row.error


async def test_an_optional_entity_that_is_gone_arrives_as_none(bench: Bench) -> None:
    seen: list[Any] = []

    @bench.task()
    async def pay(order: Order | None, others: list[Order | None]) -> None:
        seen.append((order, [other and other.id for other in others]))

    order, kept = Order(id=1), Order(id=2)
    handle = await enqueue_with(bench, pay, order, kept, order=order, others=[order, kept])
    absent = await enqueue_with(bench, pay, order=None, others=[])
    await bench.rows("DELETE FROM orders WHERE id = 1")
    async with bench.worker():
        await bench.until_state(handle, "done")
        await bench.until_state(absent, "done")
    assert (None, [None, 2]) in seen
    assert (None, []) in seen


@pytest.mark.parametrize("locked", [True, False])
async def test_locked_keeps_parallel_changes_of_one_row_from_being_lost(
    bench: Bench, *, locked: bool
) -> None:
    together = asyncio.Barrier(5)

    async def read_change_write(order: Order) -> None:
        total = order.total
        if not locked:
            await together.wait()
        order.total = total + 1

    if locked:

        @bench.task(name="count")
        async def count(order: Annotated[Order, Locked]) -> None:
            await read_change_write(order)
    else:

        @bench.task(name="count")
        async def count(order: Order) -> None:
            await read_change_write(order)

    order = Order(total=0)
    await bench.add(order)
    handles = [await bench.soniq.enqueue(count, order) for _ in range(5)]
    async with bench.worker(concurrency=5):
        for handle in handles:
            await bench.until_state(handle, "done")
    assert await bench.rows("SELECT total FROM orders") == [(5 if locked else 1,)]


async def test_locked_holds_for_lists_and_for_sync_handlers(bench: Bench) -> None:
    @bench.task()
    def count(orders: list[Annotated[Order, Locked]], session: Session = inject()) -> None:
        for order in orders:
            order.total += 1
        session.add(Effect(note="counted"))

    first, second = Order(), Order()
    await bench.add(first, second)
    async with bench.sessions.begin() as session:
        handles = [
            session.enqueue(count, [first, second][:: -1 if turn % 2 else 1]) for turn in range(6)
        ]
    async with bench.worker(concurrency=6):
        for handle in handles:
            await bench.until_state(handle, "done")
    assert await bench.rows("SELECT total FROM orders") == [(6,), (6,)]
    assert await bench.rows("SELECT * FROM soniq_attempts") == []


async def test_a_lock_on_an_entity_does_not_hold_up_foreign_keys_to_it(bench: Bench) -> None:
    inside = asyncio.Event()
    leave = asyncio.Event()

    @bench.task()
    async def hold(person: Annotated[Person, Locked]) -> None:
        assert person.kind == "person"
        inside.set()
        await leave.wait()

    person = Person(id=1, kind="person")
    await bench.add(person)
    handle = await bench.soniq.enqueue(hold, person)
    async with bench.worker():
        await inside.wait()
        async with asyncio.timeout(5):
            await bench.rows("INSERT INTO employees (id, desk) VALUES (1, 'x')")
        leave.set()
        await bench.until_state(handle, "done")


@pytest.mark.parametrize(
    ("argument", "stored"),
    [
        ("one", "null"),
        ("one", '"x"'),
        ("many", '"12"'),
        ("many", "5"),
        ("many", "null"),
        ("many", "[1, null]"),
        ("named", "[1]"),
        ("named", '{"a": null}'),
    ],
)
async def test_stored_keys_of_another_shape_make_the_job_dead_at_once(
    bench: Bench, argument: str, stored: str
) -> None:
    called: list[object] = []

    @bench.task(name="one")
    async def one(orders: Order) -> None:
        called.append(orders)

    @bench.task(name="many")
    async def many(orders: list[Order]) -> None:
        called.append(orders)

    @bench.task(name="named")
    async def named(orders: dict[str, Order]) -> None:
        called.append(orders)

    await bench.rows("INSERT INTO orders (total) VALUES (1), (2)")
    await bench.rows(
        "INSERT INTO soniq_jobs (id, task, args) "
        "VALUES (gen_random_uuid(), :task, CAST(:args AS jsonb))",
        task=argument,
        args=f'{{"orders": {stored}}}',
    )
    end = "SELECT state, reason FROM soniq_jobs"

    async def ended() -> bool:
        return (await bench.rows(end))[0].state in {"done", "dead", "scheduled"}

    async with bench.worker():
        await bench.until(ended, "the end of the job")
    assert await bench.rows(end) == [("dead", "invalid arguments")]
    assert called == []
