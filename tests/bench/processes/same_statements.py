"""The claim and finish statements of soniq-sa through bare asyncpg, one after the other."""

from __future__ import annotations

import asyncio
import json
import os

import asyncpg

from soniq_sa.statements.claim import claim_jobs
from soniq_sa.statements.finish import finish_done
from tests.bench.app import count_run, soniq
from tests.bench.processes.statements import Compiled, register

BATCH = 100


async def main() -> None:
    """Claim and finish until nothing is left."""
    connection = await asyncpg.connect(os.environ["SONIQ_SA_DATABASE_URL"])
    owner = await register(connection)
    claim = Compiled(claim_jobs(soniq.models))
    finish = Compiled(finish_done(soniq.models, soniq.tasks.retention()))
    take = {"queues": ["default"], "tasks": soniq.tasks.names, "limit": BATCH, "owner": owner}
    while rows := await connection.fetch(claim.text, *claim.arguments(**take)):
        for row in rows:
            await count_run(**json.loads(row["args"]))
        ended = {"ids": [row["id"] for row in rows], "claim_number": 1, "owner": owner}
        await connection.fetch(finish.text, *finish.arguments(**ended))
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
