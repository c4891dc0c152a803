"""A mistake in one statement is found by some order: the explorer can fail."""

from __future__ import annotations

import asyncio

import pytest

from tests.interleavings.actors import beats, finishes, finishes_in_session
from tests.interleavings.arena import Arena
from tests.interleavings.book import Mistake
from tests.interleavings.explorer import Explorer
from tests.interleavings.ledger import Violated
from tests.interleavings.scene import DEAD, LIVE, NEW, Act, Scene, job, running
from tests.interleavings.scenes import SCENES
from tests.interleavings.seat import Seat

CLAIM = r"soniq_jobs.claims = (\$\d+::INTEGER)"
OWNER = r"soniq_jobs.worker_id = (\$\d+::UUID)"
NOT_ENDED = " AND soniq_jobs.finished_at IS NULL"

MISTAKES = {
    "a finish without its fence": (
        Mistake("done", f"{CLAIM} AND {OWNER}", r"\1 IS NOT NULL AND \2 IS NOT NULL"),
        "session | rescue | claim",
        "ended 2 times",
    ),
    "a finish that looks at its worker only": (
        Mistake("done", CLAIM, r"\1 IS NOT NULL"),
        "late finish | failure and claim again | cancel",
        "ended 2 times",
    ),
    "a finish of a job that has ended": (
        Mistake("done", NOT_ENDED),
        "prune | replay | late finish",
        "ended 2 times",
    ),
    "a failure without its fence": (
        Mistake("otherwise", f"AND {OWNER}{NOT_ENDED}", r"AND \1 IS NOT NULL"),
        "failure | cancel | rescue and claim",
        "UniqueViolationError",
    ),
    "a release without its fence": (
        Mistake("release", f"AND {OWNER}{NOT_ENDED}", r"AND \1 IS NOT NULL"),
        "late release | rescue | claim and finish",
        "ended 2 times",
    ),
    "a transaction that does not hold its claim": (
        Mistake("hold", "FOR SHARE"),
        "transaction of a handler | rescue | claim and session",
        "that claim had ended",
    ),
    "a claim that waits": (
        Mistake("claim", "SKIP LOCKED"),
        "claim of one | claim of two | claim of all",
        "claim waits",
    ),
    "a promotion that waits": (
        Mistake("promote", "SKIP LOCKED"),
        "retry now and claim | promotion | cancel",
        "promote waits",
    ),
    "a rescue that waits": (
        Mistake("rescue", "SKIP LOCKED"),
        "session | rescue | claim",
        "rescue waits",
    ),
    "a rescue that does not look at the lease": (
        Mistake("rescue", r"greatest\(.*'1 second'\) < clock_timestamp\(\)", "true"),
        "beat and finish | rescue | claim",
        "which lives",
    ),
    "a rescue that counts no crash": (
        Mistake("rescue", r"crashes=\(soniq_jobs.crashes \+ ", r"\g<0>0 * "),
        "session | rescue | claim",
        "crashes",
    ),
    "a cancel of a job that has ended": (
        Mistake("cancel", NOT_ENDED),
        "batch | cancel | rescue and claim",
        "of an ended job changed",
    ),
    "a deletion of a job that runs": (
        Mistake("delete", r"soniq_jobs.state != (\$\d+::VARCHAR)", r"\1 IS NOT NULL"),
        "deletion | claim | rescue",
        "deleted while it ran",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_some_order_finds(arena: Arena, runner: asyncio.Runner, mistake: str) -> None:
    wrong, name, complaint = MISTAKES[mistake]
    (scene,) = [scene for scene in SCENES if scene.name == name]
    with pytest.raises(Violated, match=complaint):
        runner.run(Explorer(arena, arena.book(wrong), scene).run_all())


def test_every_order_of_actors_that_do_not_meet_is_run(
    arena: Arena, runner: asyncio.Runner
) -> None:
    actors = {"one": beats(LIVE), "two": beats(DEAD), "three": beats(NEW)}
    explorer = Explorer(arena, arena.book(), Scene("beats", [], actors))
    assert runner.run(explorer.run_all()) == 90  # 6! / (2! 2! 2!)


def test_a_deadlock_is_found(arena: Arena, runner: asyncio.Runner) -> None:
    def both(first: int, second: int) -> Act:
        async def act(seat: Seat) -> None:
            for number in (first, second):
                _ = await seat.run("cancel", job_id=job(number), why=None)
            await seat.commit()

        return act

    scene = Scene("both", [running(LIVE), running(LIVE)], {"a": both(1, 2), "b": both(2, 1)})
    with pytest.raises(Violated, match=r"wait for ever|DeadlockDetectedError"):
        runner.run(Explorer(arena, arena.book(), scene).run_all())


def test_a_statement_that_waits_goes_on_when_the_other_session_ends(
    arena: Arena, runner: asyncio.Runner
) -> None:
    actors = {"session": finishes_in_session(DEAD, job(1)), "batch": finishes(DEAD, job(1))}
    explorer = Explorer(arena, arena.book(), Scene("two ends", [running(DEAD)], actors))
    assert runner.run(explorer.run_all()) == 7  # of 10: the others need a step of one that waits
