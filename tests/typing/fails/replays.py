"""The options of a replay have names and types, and are no filters."""

from uuid import UUID

from shop import soniq


async def wrong_replays(job_id: UUID) -> None:
    letters = soniq.dead_letters
    await letters.replay(job_id, options={"queu": "slow"})  # error: expected "ReplayOptions | None" || parameter "options" of type "ReplayOptions | None"
    await letters.replay(job_id, options={"timeout": 5})  # error: expected "ReplayOptions | None" || parameter "options" of type "ReplayOptions | None"
    await letters.replay(job_id, queue="slow")  # error: Unexpected keyword argument "queue" || No parameter named "queue"
    await letters.replay_many(options={"retries": "3"})  # error: expected "ReplayOptions | None" || parameter "options" of type "ReplayOptions | None"
    await letters.replay_many(priority=5)  # error: Unexpected keyword argument "priority" || No parameter named "priority"
