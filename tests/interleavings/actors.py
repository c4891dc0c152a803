"""What the actors do: each is one session of a worker, of a handler, or of a program outside.

The statements are the project's own, and so is the order in which they are sent. A statement of a
worker is committed with it; here, `Seat.commit` is a step of its own, so that others come in between.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid5

from tests.interleavings.ledger import Ended, Fact, Gone, Granted, Held, Taken
from tests.interleavings.scene import NEW, QUEUE, TASK, Act
from tests.interleavings.seat import Seat

_EFFECT = "INSERT INTO effects (job_id) VALUES ($1)"
_REPLAYS = UUID(int=0xA000)


def claims(for_worker: UUID, limit: int = 10, *, then: Callable[..., Act] | None = None) -> Act:
    """Claim; then go on with the first job of it, as whoever runs it."""

    async def act(seat: Seat) -> None:
        rows = await seat.run("claim", queues=[QUEUE], tasks=[TASK], limit=limit, owner=for_worker)
        seat.note(*[Granted(str(row["id"]), row["claims"], str(for_worker)) for row in rows])
        await seat.commit()
        if rows and then is not None:
            await then(for_worker, rows[0]["id"], claim=rows[0]["claims"])(seat)

    return act


def finishes(for_worker: UUID, *jobs: UUID, claim: int = 1) -> Act:
    """Write a batch of successes."""

    async def act(seat: Seat) -> None:
        rows = await seat.run("done", ids=list(jobs), claim_number=claim, owner=for_worker)
        seat.note(*[Ended(str(row["id"]), claim, consumed=1) for row in rows])
        await seat.commit()

    return act


def finishes_one(for_worker: UUID, one: UUID, claim: int = 1) -> Act:
    """Write one success."""
    return finishes(for_worker, one, claim=claim)


def finishes_in_session(
    for_worker: UUID, one: UUID, claim: int = 1, *, isolation: str | None = None
) -> Act:
    """Run a handler with a session: its write, the fenced finish, and COMMIT or ROLLBACK."""

    async def act(seat: Seat) -> None:
        if isolation:
            seat.isolate(isolation)
        await seat.write(_EFFECT, one)
        fence = {"ids": [one], "claim_number": claim, "owner": for_worker}
        rows = await seat.run("done", Ended(str(one), claim, consumed=1, effect=True), **fence)
        await (seat.commit() if rows else seat.roll_back())

    return act


def writes_in_transaction(for_worker: UUID, one: UUID, claim: int = 1) -> Act:
    """Run a block of ``ctx.transaction()``: hold the claim, and COMMIT or ROLLBACK."""

    async def act(seat: Seat) -> None:
        fence = {"job_id": one, "claim_number": claim, "owner": for_worker}
        rows = await seat.run("hold", Held(str(one), claim), **fence)
        await (seat.commit() if rows else seat.roll_back())

    return act


def deletes_at_its_end(for_worker: UUID, one: UUID, claim: int = 1) -> Act:
    """Delete a job that is done, because its retention is 0."""

    async def act(seat: Seat) -> None:
        fence = {"ids": [one], "claim_number": claim, "owner": for_worker}
        _ = await seat.run("deleted", Ended(str(one), claim, consumed=1), Gone(str(one)), **fence)
        await seat.commit()

    return act


def fails(
    for_worker: UUID,
    one: UUID,
    claim: int = 1,
    *,
    delay: float | None = 0.0,
    then: Act | None = None,
) -> Act:
    """Write that an attempt failed: the job waits ``delay`` seconds, or is dead if that is None."""

    async def act(seat: Seat) -> None:
        _ = await seat.run(
            "otherwise",
            Ended(str(one), claim, consumed=1),
            ids=[one],
            claim_numbers=[claim],
            owner=for_worker,
            consumed=[1],
            outcomes=["failed"],
            errors=["no"],
            reasons=["retries exhausted"],
            delays=[delay],
            ends=["dead"],
        )
        await seat.commit()
        if then is not None:
            await then(seat)

    return act


def releases(for_worker: UUID, one: UUID, claim: int = 1) -> Act:
    """Give a job back."""

    async def act(seat: Seat) -> None:
        fence = {"ids": [one], "claim_numbers": [claim], "owner": for_worker}
        _ = await seat.run("release", Ended(str(one), claim), **fence)
        await seat.commit()

    return act


def reconciles(for_worker: UUID) -> Act:
    """Release what the table gives to a worker that does not know of it."""

    async def act(seat: Seat) -> None:
        for row in await seat.read("owned", owner=for_worker):
            await releases(for_worker, row["id"], row["claims"])(seat)

    return act


def beats(for_worker: UUID, *, then: Act | None = None) -> Act:
    """Renew the lease; go on if the worker was still there."""

    async def act(seat: Seat) -> None:
        sign = {"lock": None, "lease": 3600.0, "channel": "beats", "beat_number": "1"}
        alive = await seat.run("beat", owner=for_worker, **sign)
        await seat.commit()
        if alive and then is not None:
            await then(seat)

    return act


def rescues(*, looking: bool = True, then: Act | None = None) -> Act:
    """Look for dead workers, and take their jobs away."""

    async def act(seat: Seat) -> None:
        if looking and not await seat.read("silent", owner=NEW):
            return
        rows = await seat.run("rescue", owner=NEW, dead_ids=[], dead_keys=[])
        seat.note(*[Taken(str(row["id"])) for row in rows])
        await seat.commit()
        if then is not None:
            await then(seat)

    return act


def rescues_orphans() -> Act:
    """Take away what runs for a worker that is not there."""

    async def act(seat: Seat) -> None:
        rows = await seat.run("orphans")
        seat.note(*[Taken(str(row["id"])) for row in rows])
        await seat.commit()

    return act


def says(statement: str, *facts: Fact, then: Act | None = None, **parameters: Any) -> Act:
    """Send one statement, and commit it; go on if it did something."""

    async def act(seat: Seat) -> None:
        rows = await seat.run(statement, *facts, **parameters)
        await seat.commit()
        if rows and then is not None:
            await then(seat)

    return act


def cancels(one: UUID) -> Act:
    """Cancel a job."""
    return says("cancel", job_id=one, why="unwanted")


def hurries(one: UUID, *, then: Act | None = None) -> Act:
    """Have a job that waits for its retry run now."""
    return says("retry now", job_id=one, then=then)


def puts_off(one: UUID, delay: float) -> Act:
    """Give a job another time."""
    return says("put off", job_id=one, due_at=None, delay=delay)


def deletes(one: UUID) -> Act:
    """Delete a job."""
    return says("delete", Gone(str(one)), job_id=one)


def promotes(*, then: Act | None = None) -> Act:
    """Queue what is due."""
    return says("promote", limit=10, then=then)


def replays(*dead: UUID) -> Act:
    """Make a fresh job of each dead one."""
    new = [uuid5(_REPLAYS, str(one)) for one in dead]
    same: dict[str, Any] = dict.fromkeys(["new_queue", "new_priority", "attempt_limit", "due_at"])
    return says("replay", dead_ids=list(dead), new_ids=new, delay=0.0, **same)


def prunes() -> Act:
    """Look for jobs whose retention is over, and delete them."""

    async def act(seat: Seat) -> None:
        page = await seat.read("prunable", page_size=10, since=None)
        rows = await seat.run("prune", ids=[row["id"] for row in page])
        seat.note(*[Gone(str(row["id"])) for row in rows])
        await seat.commit()

    return act
