"""What PostgreSQL and asyncpg allow: lean statements on the table of soniq-sa, with a batch ahead."""

from __future__ import annotations

import asyncio
import json
import os
from importlib.util import find_spec
from typing import Any

import asyncpg

from tests.bench.app import count_run
from tests.bench.processes.statements import LEAN_CLAIM, LEAN_FINISH, register

BATCH = 100


async def main() -> None:
    """Run one batch while the next is claimed and the last is finished."""
    url = os.environ["SONIQ_SA_DATABASE_URL"]
    claiming, finishing = await asyncpg.connect(url), await asyncpg.connect(url)
    owner = await register(claiming)
    rows = await claiming.fetch(LEAN_CLAIM, owner, BATCH)
    finished: asyncio.Task[Any] | None = None
    while rows:
        following = asyncio.create_task(claiming.fetch(LEAN_CLAIM, owner, BATCH))
        for row in rows:
            await count_run(**json.loads(row["args"]))
        if finished is not None:
            await finished
        ids = [row["id"] for row in rows]
        finished = asyncio.create_task(finishing.execute(LEAN_FINISH, ids, owner))
        rows = await following
    if finished is not None:
        await finished
    await asyncio.Event().wait()


if __name__ == "__main__":
    if find_spec("uvloop") is not None:
        import uvloop

        uvloop.run(main())
    else:
        asyncio.run(main())
