import asyncio
import sys
from datetime import timedelta

from soniq_sa import ReplayOptions

from jobs import engine, soniq


async def main() -> None:
    # region look
    for letter in await soniq.dead_letters.list(task="charge", since=timedelta(hours=1)):
        print(letter.id, letter.reason, letter.args, letter.error)
    stats = await soniq.dead_letters.stats()
    print(stats.total, stats.by_reason)
    # endregion
    await soniq.dead_letters.tag(letter.id, "seen")
    # region replay
    new_id = await soniq.dead_letters.replay(letter.id)
    replayed = await soniq.dead_letters.replay_many(task="charge", error="bank", limit=100)
    # endregion
    # region options
    slowly: ReplayOptions = {"queue": "slow", "priority": 900, "delay": timedelta(minutes=5)}
    await soniq.dead_letters.replay_many(queue="billing", replayed=None, options=slowly)
    last_id = await soniq.dead_letters.replay(letter.id, options={"retries": 0})
    # endregion
    print(f"{new_id}, {last_id}, and {replayed} more", end="\n\n")
    # region delete
    await soniq.dead_letters.delete(letter.id)
    await soniq.dead_letters.purge(older_than=timedelta(days=30))
    # endregion
    # region export
    async for text in soniq.dead_letters.export("csv", queue="billing"):
        sys.stdout.write(text)
    # endregion
    await engine.dispose()


asyncio.run(main())
