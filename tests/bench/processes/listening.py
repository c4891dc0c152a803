"""The least that can pick up a job: LISTEN, and one lean claim for each notification."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import asyncpg

from tests.bench.app import note_start
from tests.bench.processes.statements import LEAN_CLAIM, LEAN_FINISH, register

CHANNEL = "bench"


async def main() -> None:
    """Work until killed."""
    url = os.environ["SONIQ_SA_DATABASE_URL"]
    listening, claiming = await asyncpg.connect(url), await asyncpg.connect(url)
    owner = await register(claiming)
    woken = asyncio.Event()
    woken.set()

    def wake(*_: Any) -> None:
        woken.set()

    await listening.add_listener(CHANNEL, wake)
    while True:
        await woken.wait()
        woken.clear()
        rows = await claiming.fetch(LEAN_CLAIM, owner, 100)
        for row in rows:
            await note_start(**json.loads(row["args"]))
        await claiming.execute(LEAN_FINISH, [row["id"] for row in rows], owner)


if __name__ == "__main__":
    asyncio.run(main())
