"""Seeds, one after the other or in several processes, and what each has told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from tests.simulation.world import World


@dataclass(frozen=True)
class Told:
    """One seed: its digest, what it took, and what was wrong."""

    seed: int
    digest: str
    jobs: int
    faults: int
    seconds: float
    wrong: str = ""
    trace: tuple[str, ...] = ()


def tell(seed: int) -> Told:
    """Run one seed."""
    world = World(seed)
    story, wrong = world.story, ""
    try:
        world.run()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the seed has found
        wrong = f"{type(error).__name__}: {error}"
    trace = tuple(story.trace) if wrong else ()
    return Told(seed, story.digest, story.jobs, story.faults, story.seconds, wrong, trace)


def tell_all(seeds: Iterable[int], jobs: int) -> Iterator[Told]:
    """Run seeds, in so many processes."""
    if jobs == 1:
        yield from map(tell, seeds)
        return
    with ProcessPoolExecutor(jobs, max_tasks_per_child=500) as pool:
        yield from pool.map(tell, seeds, chunksize=10)
