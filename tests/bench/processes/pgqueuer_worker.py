"""A worker of PgQueuer: ``python -m tests.bench.processes.pgqueuer_worker BATCH``.

Its command line tool does the same: one asyncpg connection, and uvloop.
"""

from __future__ import annotations

import json
import os
import sys

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.models import Job

from tests.bench.app import count_run, note_start


async def main(batch: int) -> None:
    """Work until killed."""
    connection = await asyncpg.connect(os.environ["SONIQ_SA_DATABASE_URL"])
    worker = PgQueuer.from_asyncpg_connection(connection)

    @worker.entrypoint("noop")
    async def run_noop(job: Job) -> None:
        await count_run(**json.loads(job.payload or b"{}"))

    @worker.entrypoint("stamp")
    async def run_stamp(job: Job) -> None:
        await note_start(**json.loads(job.payload or b"{}"))

    await worker.run(batch_size=batch)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
