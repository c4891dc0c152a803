"""Enqueueing, in a transaction that commits or not; and what time and other people bring."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from soniq_sa import JobHandle
from tests.lifecycle.model import HOUR, WAITING, Job, Now, Shown
from tests.lifecycle.stage import Stage
from tests.lifecycle.steps import step
from tests.lifecycle.tasks import Spec
from tests.lifecycle.world import World
from tests.runtime.models import Order

QUEUES = ["default", "slow"]
GONE = 0
"""No order has this key."""


@dataclass(frozen=True)
class Batch(Shown):
    """Jobs that are enqueued together."""

    spec: Spec
    way: str
    count: int
    options: dict[str, Any]

    def __repr__(self) -> str:
        return f"{self.count} x {self.spec.name}.options({self.options}), {self.way}"


OPTIONS = st.fixed_dictionaries(
    {
        "queue": st.sampled_from(QUEUES),
        "retries": st.integers(0, 2),
        "priority": st.sampled_from([100, 1, 1000]),
    },
    optional={"delay": st.sampled_from([HOUR, 0]), "expires_in": st.just(2 * HOUR)},
)
"""Of jobs; those with a time of their own take a way of their own through the library."""


def batches(specs: Iterable[Spec]) -> st.SearchStrategy[Batch]:
    """Return what may be enqueued together."""
    ways = ["session", "many", "alone", *["session"] * 3, "rollback", "savepoint"]
    return st.builds(
        Batch, st.sampled_from(list(specs)), st.sampled_from(ways), st.integers(1, 3), OPTIONS
    )


@step(weight=4, when=lambda world: len(world.jobs) < 15)
def enqueue(world: World, data: st.DataObject) -> None:
    enqueue_batch(world, data.draw(batches(world.stage.specs.values()), "batch"))


def enqueue_batch(world: World, batch: Batch) -> None:
    """Enqueue jobs, and expect them if the transaction commits."""
    orders = [Order() if batch.spec.in_session else None for _ in range(batch.count)]
    rows = [{"number": 1} | ({"order": order} if order else {}) for order in orders]
    task = world.stage.tasks[batch.spec.name].options(**batch.options)
    if batch.way == "alone":
        handles = [world.do(_enqueue_alone(world.stage, task, row)) for row in rows]
    else:
        handles = world.do(_enqueue(world.stage, batch.way, task, rows))
    if batch.way in {"rollback", "savepoint"}:
        return
    options = batch.options
    for handle, order in zip(handles, orders, strict=True):
        attempts = options["retries"] + 1
        job = world.add_job(handle.id, batch.spec, options["queue"], options["priority"], attempts)
        job.order = order.id if order else None
        job.expires_at = Now(options["expires_in"]) if "expires_in" in options else None
        if options.get("delay"):
            job.put_off(options["delay"])


async def _enqueue(stage: Stage, way: str, task: Any, rows: list[dict[str, Any]]) -> Any:
    async with stage.bench.sessions(expire_on_commit=False) as session:
        savepoint = await session.begin_nested() if way == "savepoint" else None
        session.add_all([row["order"] for row in rows if "order" in row])
        if way == "many":
            handles = session.enqueue_many(task, rows)
        else:
            handles = [session.enqueue(task, **row) for row in rows]
        if savepoint is not None:
            await savepoint.rollback()
        if way == "rollback":
            await session.flush()
            await session.rollback()
        await session.commit()
    return handles


async def _enqueue_alone(stage: Stage, task: Any, row: dict[str, Any]) -> JobHandle[Any]:
    if "order" in row:
        await stage.bench.add(row["order"])
    handle: JobHandle[Any] = await stage.soniq.enqueue(task, **row)
    return handle


def _is_scheduled(job: Job) -> bool:
    return job.state == "scheduled"


@step(when=lambda world: world.those(_is_scheduled))
def let_a_job_be_due(world: World, data: st.DataObject) -> None:
    job = world.draw_job(data, _is_scheduled)
    world.do(
        world.stage.sql("UPDATE soniq_jobs SET run_at = clock_timestamp() WHERE id = $1", job.id)
    )
    job.run_at, job.batched = Now(), False


@step(weight=2, when=lambda world: world.those(_is_scheduled))
def queue_what_is_due(world: World, data: st.DataObject) -> None:
    due_watch = world.draw_player(data).real.parts.due_watch
    due_watch.note_wakeup(frozenset())  # it looks
    world.do(due_watch.run_once())
    for job in world.those(_is_scheduled):
        assert isinstance(job.run_at, datetime)
        if job.run_at <= world.seen.at:
            job.state = "queued"


def _may_expire(job: Job) -> bool:
    return job.expires_at is not None and not job.late and job.state in WAITING


@step(when=lambda world: world.those(_may_expire))
def let_a_job_expire(world: World, data: st.DataObject) -> None:
    job = world.draw_job(data, _may_expire)
    statement = "UPDATE soniq_jobs SET expires_at = clock_timestamp() WHERE id = $1"
    world.do(world.stage.sql(statement, job.id))
    job.expires_at, job.late = Now(), True


def _fits(job: Job) -> bool:
    return job.state in WAITING and not job.broken


@step(when=lambda world: world.those(_fits))
def store_arguments_that_do_not_fit(world: World, data: st.DataObject) -> None:
    job = world.draw_job(data, _fits)
    world.do(world.stage.sql("UPDATE soniq_jobs SET args = '{}' WHERE id = $1", job.id))
    job.broken = True


def _has_order(job: Job) -> bool:
    return bool(job.order)


@step(when=lambda world: world.those(_has_order))
def delete_an_order(world: World, data: st.DataObject) -> None:
    order = world.draw_job(data, _has_order).order
    world.do(world.stage.sql("DELETE FROM orders WHERE id = $1", order))
    for job in world.those(lambda job: job.order == order):
        job.order = GONE


def _may_be_forgotten(job: Job) -> bool:
    return job.final and job.keep_until is not None


@step(when=lambda world: world.those(_may_be_forgotten))
def let_a_retention_be_over(world: World, data: st.DataObject) -> None:
    job = world.draw_job(data, _may_be_forgotten)
    statement = "UPDATE soniq_jobs SET keep_until = clock_timestamp() WHERE id = $1"
    world.do(world.stage.sql(statement, job.id))
    job.keep_until = Now()


@step(weight=2, when=lambda world: world.those(_may_be_forgotten))
def prune(world: World, data: st.DataObject) -> None:
    player = world.draw_player(data)
    world.do(player.real.parts.pruner.run_once())
    for job in world.those(_may_be_forgotten):
        assert isinstance(job.keep_until, datetime)
        if job.keep_until <= world.seen.at:
            del world.jobs[job.id]
