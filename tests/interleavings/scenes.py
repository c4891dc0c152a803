"""The scenes: three actors each, and what they meet over."""

from __future__ import annotations

from functools import partial

from tests.interleavings.actors import (
    beats,
    cancels,
    claims,
    deletes,
    deletes_at_its_end,
    fails,
    finishes,
    finishes_in_session,
    finishes_one,
    hurries,
    promotes,
    prunes,
    puts_off,
    reconciles,
    releases,
    replays,
    rescues,
    rescues_orphans,
    writes_in_transaction,
)
from tests.interleavings.scene import (
    DEAD,
    LIVE,
    NEW,
    Act,
    Scene,
    dead,
    job,
    queued,
    running,
    scheduled,
)

ONE, TWO = job(1), job(2)


def _scene(
    name: str,
    jobs: list[dict[str, object]],
    first: Act,
    second: Act,
    third: Act,
    *,
    many: bool = False,
) -> Scene:
    actors = dict(zip(name.split(" | "), (first, second, third), strict=True))
    return Scene(name, jobs, actors, many)


SCENES = [
    _scene(
        "claim of one | claim of two | claim of all",
        [queued(), queued()],
        claims(LIVE, 1),
        claims(DEAD, 2),
        claims(NEW, then=finishes_one),
    ),
    _scene(
        "session | rescue | claim",
        [running(DEAD)],
        finishes_in_session(DEAD, ONE),
        rescues(),
        claims(NEW),
    ),
    _scene(
        "late finish | failure and claim again | cancel",
        [running(LIVE)],
        finishes(LIVE, ONE),
        fails(LIVE, ONE, then=claims(LIVE, then=finishes_one)),
        cancels(ONE),
    ),
    _scene(
        "beat and finish | rescue | claim",
        [running(DEAD)],
        beats(DEAD, then=finishes(DEAD, ONE)),
        rescues(looking=False),
        claims(NEW),
    ),
    _scene(
        "batch | cancel | rescue and claim",
        [running(DEAD), running(DEAD)],
        finishes(DEAD, ONE, TWO),
        cancels(TWO),
        rescues(then=claims(NEW)),
    ),
    _scene(
        "release | claim and session | cancel",
        [running(LIVE)],
        releases(LIVE, ONE),
        claims(NEW, then=finishes_in_session),
        cancels(ONE),
    ),
    _scene(
        "failure | cancel | rescue and claim",
        [running(DEAD)],
        fails(DEAD, ONE),
        cancels(ONE),
        rescues(then=claims(NEW, then=finishes_one)),
        many=True,
    ),
    _scene(
        "last failure | cancel | rescue",
        [running(DEAD, crashes=2)],
        fails(DEAD, ONE, delay=None),
        cancels(ONE),
        rescues(),
    ),
    _scene(
        "promotion and claim | cancel | claim and finish",
        [scheduled(), queued()],
        promotes(then=claims(LIVE, 1, then=finishes_one)),
        cancels(ONE),
        claims(NEW, 1, then=finishes_one),
        many=True,
    ),
    _scene(
        "prune | replay | late finish",
        [dead()],
        prunes(),
        replays(ONE),
        finishes(DEAD, ONE),
    ),
    _scene(
        "deletion | claim | rescue",
        [running(DEAD), queued()],
        deletes(ONE),
        claims(NEW),
        rescues(),
    ),
    _scene(
        "reschedule | promotion and claim | claim and finish",
        [scheduled()],
        puts_off(ONE, 60.0),
        promotes(then=claims(LIVE, then=finishes_in_session)),
        claims(NEW, then=finishes_one),
        many=True,
    ),
    _scene(
        "batch | the same again, the other way round | rescue",
        [running(DEAD), running(DEAD)],
        finishes(DEAD, ONE, TWO),
        finishes(DEAD, TWO, ONE),
        rescues(),
    ),
    _scene(
        "late release | rescue | claim and finish",
        [running(DEAD)],
        releases(DEAD, ONE),
        rescues(looking=False),
        claims(NEW, then=finishes_one),
    ),
    _scene(
        "retry now and claim | promotion | cancel",
        [scheduled(attempts=1, claims=1)],
        hurries(ONE, then=claims(NEW, then=finishes_one)),
        promotes(),
        cancels(ONE),
    ),
    _scene(
        "replay | deletion | prune",
        [dead(), dead()],
        replays(ONE, TWO),
        deletes(TWO),
        prunes(),
    ),
    _scene(
        "transaction of a handler | rescue | claim and session",
        [running(DEAD)],
        writes_in_transaction(DEAD, ONE),
        rescues(looking=False),
        claims(NEW, then=finishes_in_session),
    ),
    _scene(
        "deletion at the end | rescue and claim | cancel",
        [running(DEAD)],
        deletes_at_its_end(DEAD, ONE),
        rescues(then=claims(NEW, then=deletes_at_its_end)),
        cancels(ONE),
        many=True,
    ),
    _scene(
        "claim by a worker taken for dead | rescue | orphans",
        [queued()],
        claims(DEAD),
        rescues(),
        rescues_orphans(),
    ),
    _scene(
        "claim whose answer is lost | reconciliation | cancel",
        [queued(), running(LIVE)],
        claims(LIVE),
        reconciles(LIVE),
        cancels(ONE),
    ),
    _scene(
        "zombie's session | rescue, claim and finish | cancel",
        [running(DEAD)],
        finishes_in_session(DEAD, ONE),
        rescues(looking=False, then=claims(NEW, then=finishes_one)),
        cancels(ONE),
        many=True,
    ),
    _scene(
        "zombie's session | rescue, claim and session | beat",
        [running(DEAD)],
        finishes_in_session(DEAD, ONE),
        rescues(looking=False, then=claims(NEW, then=finishes_in_session)),
        beats(DEAD),
        many=True,
    ),
    _scene(
        "repeatable session | rescue | claim and session",
        [running(DEAD)],
        finishes_in_session(DEAD, ONE, isolation="REPEATABLE READ"),
        rescues(),
        claims(NEW, then=partial(finishes_in_session, isolation="REPEATABLE READ")),
        many=True,
    ),
    _scene(
        "claim and finish of one | claim and finish | claim and finish of all",
        [queued(), queued()],
        claims(LIVE, 1, then=finishes_one),
        claims(DEAD, 1, then=finishes_one),
        claims(NEW, then=finishes_one),
        many=True,
    ),
]
