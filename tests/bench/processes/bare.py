"""What PostgreSQL and asyncpg allow: lean statements on a lean table of one's own.

Claim and finish in batches of 100, the next batch claimed and the last one finished while one runs.
The table has what any real queue needs (queue, priority, due time, attempts, who has it since when, how
it ended) and keeps its rows.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from tests.bench.script import Enqueue, EnqueueMany, Script, run
from tests.bench.shop import payload

BATCH = 100
CHANNEL = "bare"

CREATE = """
    CREATE TABLE bare_jobs (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        task text NOT NULL,
        queue text NOT NULL DEFAULT 'default',
        state text NOT NULL DEFAULT 'queued',
        priority smallint NOT NULL DEFAULT 100,
        run_at timestamptz NOT NULL DEFAULT now(),
        args jsonb NOT NULL,
        attempts integer NOT NULL DEFAULT 0,
        worker_id uuid,
        claimed_at timestamptz,
        finished_at timestamptz,
        created_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX ON bare_jobs (queue, priority, run_at, id) WHERE state = 'queued';
    CREATE INDEX ON bare_jobs (run_at) WHERE state = 'scheduled';
"""
INSERT = "INSERT INTO bare_jobs (task, args) SELECT $1, unnest($2::text[])::jsonb"
CLAIM = """
    UPDATE bare_jobs SET state = 'processing', worker_id = $1, claimed_at = now()
    WHERE id = ANY(ARRAY(
        SELECT id FROM bare_jobs WHERE state = 'queued' AND queue = 'default'
        ORDER BY priority, run_at, id LIMIT $2 FOR UPDATE SKIP LOCKED))
    RETURNING id, task, args
"""
FINISH = """
    UPDATE bare_jobs SET state = 'done', attempts = attempts + 1, finished_at = now()
    WHERE id = ANY($1) AND worker_id = $2
"""


class BareScript(Script):
    """The loop; those who bring other statements override what talks to the database."""

    def __init__(self) -> None:
        super().__init__()
        self._handlers = {"noop": self._noop, "stamp": self._stamp}

    async def prepare(self, jobs: int) -> None:
        connection = await asyncpg.connect(self.url)
        await connection.execute(CREATE)
        await connection.execute(INSERT, "noop", [json.dumps(payload(one)) for one in range(jobs)])
        await connection.close()

    async def register(self, _connection: Any) -> UUID:
        """Return the id of this worker."""
        return uuid4()

    async def claim(self, connection: Any, owner: UUID) -> Sequence[Any]:
        """Return up to a batch of jobs."""
        rows: Sequence[Any] = await connection.fetch(CLAIM, owner, BATCH)
        return rows

    async def finish(self, connection: Any, owner: UUID, rows: Sequence[Any]) -> None:
        """Mark these jobs done."""
        await connection.execute(FINISH, [row["id"] for row in rows], owner)

    async def work(self, *, busy: bool) -> None:
        del busy
        claiming, finishing = await asyncpg.connect(self.url), await asyncpg.connect(self.url)
        owner = await self.register(claiming)
        woken = asyncio.Event()
        await finishing.add_listener(CHANNEL, lambda *_: woken.set())
        while True:
            woken.clear()
            await self._drain(claiming, finishing, owner)
            await woken.wait()

    async def _drain(self, claiming: Any, finishing: Any, owner: UUID) -> None:
        rows = await self.claim(claiming, owner)
        finished: asyncio.Task[Any] | None = None
        while rows:
            following = asyncio.create_task(self.claim(claiming, owner))
            for row in rows:
                await self._handlers[row["task"]](**json.loads(row["args"]))
            if finished is not None:
                await finished
            finished = asyncio.create_task(self.finish(finishing, owner, rows))
            rows = await following
        if finished is not None:
            await finished

    async def _noop(self, i: int, s: str) -> None:
        del i, s
        self.tally.count()

    async def _stamp(self, i: int) -> None:
        self.tally.stamp(i)

    @asynccontextmanager
    async def enqueueing(self) -> AsyncIterator[Enqueue]:
        async with self.enqueueing_many() as enqueue:
            yield lambda job: enqueue([job])

    @asynccontextmanager
    async def enqueueing_many(self) -> AsyncIterator[EnqueueMany]:
        """Insert and notify in one statement, so in one transaction."""
        connection = await asyncpg.connect(self.url)
        text = f"WITH new AS ({INSERT}) SELECT pg_notify($3, '')"

        async def enqueue(jobs: Sequence[int]) -> None:
            encoded = [json.dumps({"i": job}) for job in jobs]
            await connection.execute(text, "stamp", encoded, CHANNEL)

        yield enqueue
        await connection.close()

    async def add_to(self, session: Any, number: int) -> None:
        """Insert through the session's own connection, without a word to the workers."""
        await session.flush()
        raw = await (await session.connection()).get_raw_connection()
        await raw.driver_connection.execute(INSERT, "noop", [json.dumps(payload(number))])


if __name__ == "__main__":
    run(BareScript())
