"""Any program of adding, enqueueing, flushing, savepoints and transactions (P1, P2).

Hypothesis makes up programs. Beside each runs a model that knows nothing of SQLAlchemy: a stack of
scopes, one for the transaction and one for each savepoint, whose jobs go to the scope around them at
a commit and are forgotten at a rollback. After the program the job rows are those of the model, with
the keys of the orders in their arguments.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import inspect, select

from soniq_sa import EntityReferenceError
from tests.session.app import note, ship, ship_early, ship_some
from tests.session.models import Early, Job, Order
from tests.session.variants import Variant

EXAMPLES = int(os.environ.get("SONIQ_TEST_PROGRAMS", "60"))
DELAYS: list[dict[str, Any]] = [{}, {"delay": 60}, {"priority": 7, "queue": "other"}]


@dataclass
class Expected:
    """A job that must be there: its task, its entities, and what else it was given."""

    id: UUID
    task: Any
    entities: list[Any]
    rest: dict[str, Any]

    def arguments(self) -> dict[str, Any]:
        """Return the arguments with the keys of the entities, which are committed by now."""
        keys = [inspect(entity).identity[0] for entity in self.entities]
        if self.task is note:
            return self.rest
        if self.task is ship_some:
            return {"orders": keys, **self.rest}
        return {"order": keys[0], **self.rest}


@dataclass
class Scope:
    """What a transaction or savepoint holds."""

    jobs: list[Expected] = field(default_factory=list)
    entities: list[Any] = field(default_factory=list)

    def take(self, inner: Scope) -> None:
        """Keep what an inner scope committed."""
        self.jobs += inner.jobs
        self.entities += inner.entities


class Program:
    """A session and the model of what it must leave behind."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.committed = Scope()
        self.scopes = [Scope()]
        self.savepoints: list[Any] = []
        self.counter = 0

    def entity(self, number: int, kind: type[Any]) -> Any:
        """Return one of the entities that are alive, or a new one that is added."""
        alive = [
            one
            for scope in (self.committed, *self.scopes)
            for one in scope.entities
            if type(one) is kind
        ]
        if number < len(alive):
            return alive[number]
        return self.add(kind)

    def add(self, kind: type[Any]) -> Any:
        entity = kind()
        self.session.add(entity)
        self.scopes[-1].entities.append(entity)
        return entity

    def expect(self, handle: Any, task: Any, entities: list[Any], **rest: Any) -> None:
        self.scopes[-1].jobs.append(Expected(handle.id, task, entities, rest))

    def text(self) -> str:
        self.counter += 1
        return str(self.counter)

    async def step_add(self, number: int) -> None:
        self.add(Order if number % 2 else Early)

    async def step_note(self, number: int) -> None:
        task, text = note.options(**DELAYS[number % 3]), self.text()
        self.expect(self.session.enqueue(task, text), note, [], text=text)

    async def step_ship(self, number: int) -> None:
        order, text = self.entity(number, Order), self.text()
        task = ship.options(**DELAYS[number % 3])
        self.expect(self.session.enqueue(task, order, text), ship, [order], text=text)

    async def step_ship_early(self, number: int) -> None:
        early, text = self.entity(number, Early), self.text()
        handle = self.session.enqueue(ship_early, order=early, text=text)
        self.expect(handle, ship_early, [early], text=text)

    async def step_ship_before_adding(self, _number: int) -> None:
        order = Order()
        self.expect(self.session.enqueue(ship, order), ship, [order])
        self.session.add(order)
        self.scopes[-1].entities.append(order)

    async def step_ship_some(self, number: int) -> None:
        orders = [self.entity(number + offset, Order) for offset in range(3)]
        self.expect(self.session.enqueue(ship_some, orders), ship_some, orders)

    async def step_many(self, number: int) -> None:
        orders = [self.entity(number + offset, Order) for offset in range(number % 3)]
        rows = [{"order": one, "text": self.text()} for one in orders]
        task = ship.options(**DELAYS[number % 3])
        for handle, row in zip(self.session.enqueue_many(task, rows), rows, strict=True):
            self.expect(handle, ship, [row["order"]], text=row["text"])

    async def step_many_notes(self, number: int) -> None:
        rows = [{"text": self.text()} for _ in range(number)]
        for handle, row in zip(self.session.enqueue_many(note, rows), rows, strict=True):
            self.expect(handle, note, [], **row)

    async def step_flush(self, _number: int) -> None:
        await self.session.flush()

    async def step_query(self, _number: int) -> None:
        found = (await self.session.scalars(select(Job.id).order_by(Job.id))).all()
        jobs = [job for scope in (self.committed, *self.scopes) for job in scope.jobs]
        assert found == sorted(job.id for job in jobs)

    async def step_begin_nested(self, _number: int) -> None:
        self.savepoints.append(await self.session.begin_nested())
        self.scopes.append(Scope())

    async def step_commit_nested(self, _number: int) -> None:
        if self.savepoints:
            await self.savepoints.pop().commit()
            inner = self.scopes.pop()
            self.scopes[-1].take(inner)

    async def step_rollback_nested(self, _number: int) -> None:
        if self.savepoints:
            await self.savepoints.pop().rollback()
            self.scopes.pop()

    async def step_never_added(self, number: int) -> None:
        """Fail to flush, and roll back the innermost scope, as a block around it would."""
        if number % 2:
            self.session.enqueue(ship, Order())
        else:
            self.session.enqueue_many(ship, [{"order": Order()}, {"order": Order()}])
        with pytest.raises(EntityReferenceError):
            await self.session.flush()
        await (self.step_rollback_nested(0) if self.savepoints else self.step_rollback(0))

    async def step_commit(self, _number: int) -> None:
        await self.session.commit()
        for scope in self.scopes:
            self.committed.take(scope)
        self.forget()

    async def step_rollback(self, _number: int) -> None:
        await self.session.rollback()
        self.forget()

    async def step_close(self, _number: int) -> None:
        await self.session.close()
        self.forget()

    def forget(self) -> None:
        self.scopes, self.savepoints = [Scope()], []


STEPS: dict[str, Callable[..., Any]] = {
    name: step for name, step in vars(Program).items() if name.startswith("step_")
}
WORK = ["step_note", "step_ship", "step_ship_early", "step_ship_before_adding", "step_many"]
programs = st.lists(
    st.tuples(st.sampled_from([*STEPS, *WORK, "step_begin_nested"]), st.integers(0, 5)), max_size=40
)


def stored(variant: Variant) -> list[tuple[UUID, str, dict[str, Any]]]:
    """Return the committed jobs with decoded arguments, in the order of their ids."""
    tasks = {task.name: task for task in (note, ship, ship_early, ship_some)}
    rows = variant.rows("SELECT id, task, args::text FROM soniq_jobs ORDER BY id")
    return [(row.id, row.task, tasks[row.task].codec.decode(row.args)) for row in rows]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=programs)
async def test_the_jobs_of_any_program_are_those_it_committed(
    variants: dict[str, Variant], driver: str, steps: list[tuple[str, int]]
) -> None:
    variant = variants[driver]
    variant.clear()
    async with variant.session() as session:
        program = Program(session)
        for name, number in steps:
            await STEPS[name](program, number)
    jobs = sorted(program.committed.jobs, key=lambda job: job.id)
    assert stored(variant) == [(job.id, job.task.name, job.arguments()) for job in jobs]
    entities = variant.rows("SELECT id FROM orders UNION ALL SELECT id FROM earlies")
    assert len(entities) == len(program.committed.entities)
