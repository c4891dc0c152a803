"""Somebody who logs in with one role, and tries each action once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from soniq_sa import AsyncSoniqSession, JobNotFoundError, Worker
from soniq_sa.cli.grants.roles import GrantRole
from soniq_sa.events import DatabaseLost, Event, PartFailed
from tests.security.gate import Gate
from tests.security.shop import SCHEMA, Order, make_app

JOBS = f'"{SCHEMA}".shop_jobs'
WORKERS = f'"{SCHEMA}".shop_workers'
DENIED = ("permission denied", "must be owner", "row-level security")


class RefusedError(Exception):
    """What was tried is not allowed: PostgreSQL says so, or shows nothing to do it to."""


class Actor:
    """A login with one role."""

    def __init__(self, gate: Gate, role: GrantRole) -> None:
        self.gate = gate
        self.role = role
        url = gate.url_of(role).set(drivername="postgresql+asyncpg")
        self.engine = create_async_engine(url)
        self.sessions = async_sessionmaker(self.engine, class_=AsyncSoniqSession)
        self.soniq = make_app(sessionmaker=self.sessions)
        self.events: list[Event] = []
        self.soniq.events.subscribe(self.events.append)
        self.greet: Any = self.soniq.tasks.get("greet")
        self.ship: Any = self.soniq.tasks.get("ship")

    async def may(self, action: str) -> bool:
        """Tell whether an action succeeds; any error but a refusal passes on."""
        try:
            await ACTIONS[action](self)
        except (RefusedError, JobNotFoundError):
            return False
        except Exception as error:
            if any(word in str(error) for word in DENIED):
                return False
            raise
        finally:
            await self.engine.dispose()
            await self.soniq.databases.dispose()
        return True

    def seed(self, **values: str) -> UUID:
        """Have the administrator insert a job; the values are SQL."""
        job_id = uuid4()
        columns = {"id": f"'{job_id}'", "task": "'greet'", "args": '\'{"name": "Ann"}\'', **values}
        self.gate.execute(
            f"INSERT INTO {JOBS} ({', '.join(columns)}) VALUES ({', '.join(columns.values())})"
        )
        return job_id

    def dead(self) -> UUID:
        """Have the administrator insert a dead job."""
        return self.seed(state="'dead'", finished_at="now()", reason="'timed out'", error="'no'")

    def value(self, job_id: UUID, column: str) -> Any:
        """Return what the administrator sees in a job's row."""
        return self.gate.rows(f"SELECT {column} FROM {JOBS} WHERE id = %s", job_id)[0][0]

    async def execute(self, statement: str) -> list[Any]:
        """Execute a statement, and return the rows."""
        async with self.engine.begin() as connection:
            result = await connection.execute(text(statement))
            return list(result.all()) if result.returns_rows else []

    async def work_until(self, done: Callable[[], bool]) -> None:
        """Run a worker until something is done, or is refused to it."""
        worker = Worker(self.soniq, lease=5, poll_interval=0.2, rescue_interval=0.2)
        running = asyncio.create_task(worker.run())
        try:
            while not done() and not running.done() and not self._denied():
                await asyncio.wait({running}, timeout=0.02)
        finally:
            worker.stop()
            worker.stop()
            await asyncio.wait({running})
        if not done():
            raise RefusedError from running.exception()
        assert not self._denied(), self._denied()

    def _denied(self) -> list[str]:
        told = [one.error for one in self.events if isinstance(one, PartFailed | DatabaseLost)]
        return [one for one in told if any(word in one for word in DENIED)]


async def _enqueue(actor: Actor) -> None:
    async with actor.sessions.begin() as session:
        handle = session.enqueue(actor.greet.options(columns={"region": "there"}), name="Bo")
    assert actor.value(handle.id, "args") == {"name": "Bo"}


async def _enqueue_later(actor: Actor) -> None:
    async with actor.sessions.begin() as session, session.begin_nested():
        handle = session.enqueue(actor.greet.options(delay=3600), name="Bo")
    assert actor.value(handle.id, "state") == "scheduled"
    actor.gate.execute(f"DELETE FROM {JOBS} WHERE state = 'scheduled'")


async def _enqueue_for_entity(actor: Actor) -> None:
    async with actor.sessions.begin() as session:
        order = Order()
        session.add(order)
        handle = session.enqueue(actor.ship, order)
        late = session.enqueue(actor.ship.options(delay=1), order)
        plain = session.enqueue(actor.greet.options(delay=1), name="Cy")
    assert actor.value(handle.id, "args->>'order'") == actor.value(late.id, "args->>'order'")
    assert actor.value(plain.id, "args") == {"name": "Cy"}


async def _enqueue_many(actor: Actor) -> None:
    rows = [{"name": str(number)} for number in range(3)]
    async with actor.sessions.begin() as session:
        handles = session.enqueue_many(actor.greet.options(delay=1), rows)
    assert [actor.value(one.id, "args") for one in handles] == rows


async def _read_state(actor: Actor) -> None:
    job_id = actor.seed()
    assert await actor.soniq.handle(job_id).status() == "queued"


async def _count(actor: Actor) -> None:
    actor.dead()
    assert (await actor.soniq.dead_letters.stats(task="greet")).total
    found = await actor.execute(f"SELECT queue, state, count(*) FROM {JOBS} GROUP BY 1, 2")
    if not found:
        raise RefusedError


async def _read_arguments(actor: Actor) -> None:
    job_id = actor.dead()
    shown: list[str] = []
    for column in ("args", "headers", "result", "error"):
        try:
            if await actor.execute(f"SELECT {column} FROM {JOBS} WHERE id = '{job_id}'"):
                shown.append(column)
        except Exception as error:
            if "permission denied" not in str(error):
                raise
    if not shown:
        raise RefusedError
    assert shown == ["args", "headers", "result", "error"]
    letter = await actor.soniq.dead_letters.get(job_id)
    assert letter
    assert letter.args == {"name": "Ann"}


async def _change_arguments(actor: Actor) -> None:
    job_id = actor.seed()
    await actor.execute(f"UPDATE {JOBS} SET args = '{{}}'")
    if actor.value(job_id, "args"):
        raise RefusedError


async def _work(actor: Actor) -> None:
    actor.gate.execute(f"DELETE FROM {JOBS}")
    actor.gate.execute("INSERT INTO orders DEFAULT VALUES")
    (order,) = actor.gate.rows("SELECT max(id) FROM orders")
    args = f"jsonb_build_object('order', {order[0]})"
    good = actor.seed()
    bad = actor.seed(args='\'{"name": ""}\'', max_attempts="1")
    past = "now() - interval '1 s'"
    late = actor.seed(state="'scheduled'", run_at=past, task="'ship'", args=args)
    actor.seed(state="'done'", finished_at="now()", keep_until="now()")

    def ended() -> bool:
        there = actor.gate.rows(f"SELECT id, state FROM {JOBS}")
        return {row[0]: row[1] for row in there} == {good: "done", bad: "dead", late: "done"}

    await actor.work_until(ended)
    assert actor.value(good, "result") == "hello, Ann"


async def _rescue(actor: Actor) -> None:
    actor.gate.execute(f"DELETE FROM {JOBS}; DELETE FROM {WORKERS}")
    dead = uuid4()
    actor.gate.execute(
        f"INSERT INTO {WORKERS} (id, name, expires_at) VALUES ('{dead}', 'gone', now() - interval '1 h')"
    )
    job_id = actor.seed(state="'processing'", worker_id=f"'{dead}'", claims="1")
    await actor.work_until(lambda: bool(actor.value(job_id, "state") == "done"))
    assert actor.value(job_id, "crashes") == 1


async def _cancel(actor: Actor) -> None:
    job_id = actor.seed()
    await actor.soniq.cancel(job_id, reason="unwanted")
    if actor.value(job_id, "state") != "cancelled":
        raise RefusedError
    running = actor.seed(state="'processing'")
    await actor.soniq.cancel(running)
    assert actor.value(running, "cancel_requested_at")


async def _reschedule(actor: Actor) -> None:
    job_id = actor.seed()
    await actor.soniq.reschedule(job_id, 3600)
    await actor.soniq.set_priority(job_id, 7)
    assert (actor.value(job_id, "state"), actor.value(job_id, "priority")) == ("scheduled", 7)


async def _replay(actor: Actor) -> None:
    job_id = actor.dead()
    fresh = await actor.soniq.dead_letters.replay(job_id)
    assert actor.value(fresh, "args") == {"name": "Ann"}
    assert actor.value(job_id, "replays") == 1


async def _tag(actor: Actor) -> None:
    job_id = actor.dead()
    await actor.soniq.dead_letters.tag(job_id, "seen")
    assert actor.value(job_id, "tags") == ["seen"]


async def _delete(actor: Actor) -> None:
    await actor.soniq.dead_letters.delete(dead := actor.dead())
    await actor.soniq.delete(waiting := actor.seed())
    gone = actor.gate.rows(f"SELECT id FROM {JOBS} WHERE id IN (%s, %s)", dead, waiting)
    assert gone == []


async def _truncate(actor: Actor) -> None:
    actor.seed()
    await actor.execute(f'TRUNCATE "{SCHEMA}".shop_attempts, "{SCHEMA}".shop_progress')


async def _create(actor: Actor) -> None:
    await actor.execute(f"ALTER TABLE {JOBS} ADD COLUMN colour text")
    await actor.execute(f"ALTER TABLE {JOBS} DROP COLUMN colour")
    await actor.execute(f'CREATE TABLE "{SCHEMA}".another (id int)')
    await actor.execute(f'DROP TABLE "{SCHEMA}".another')


async def _listen(actor: Actor) -> None:
    await actor.execute("LISTEN here")
    await actor.execute("NOTIFY here, 'news'")


ACTIONS: dict[str, Callable[[Actor], Awaitable[None]]] = {
    "enqueue a job": _enqueue,
    "enqueue a job with a delay": _enqueue_later,
    "enqueue a job for an entity without a key yet": _enqueue_for_entity,
    "enqueue many jobs": _enqueue_many,
    "read the state of a job": _read_state,
    "list and count jobs": _count,
    "read arguments, headers, results and errors": _read_arguments,
    "change the arguments of a job": _change_arguments,
    "claim, run and finish jobs": _work,
    "take over from dead workers": _rescue,
    "cancel a job": _cancel,
    "reschedule a job": _reschedule,
    "replay a dead letter": _replay,
    "tag a dead letter": _tag,
    "delete jobs": _delete,
    "truncate a table": _truncate,
    "create and drop tables": _create,
    "LISTEN and NOTIFY": _listen,
}
