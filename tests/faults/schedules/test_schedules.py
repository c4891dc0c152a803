"""Random schedules of at least five mixed faults, 200 jobs and 4 workers (P3, P4, P5)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future

import pytest

from tests.faults.schedules.lanes import lanes_of
from tests.faults.schedules.plan import JOBS, RECIPES, SEATS, Deed, schedule_of
from tests.faults.schedules.report import Result

SEEDS = range(1, 1 + int(os.environ.get("SONIQ_TEST_SEEDS", "10")))
LANES = 2


@pytest.fixture(scope="module")
def results() -> Iterator[Mapping[int, Future[Result]]]:
    """Return what comes of each seed; they are played two at a time, in their order."""
    with lanes_of(LANES) as lanes:
        yield {seed: lanes.play({"seed": seed}) for seed in SEEDS}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", SEEDS)
def test_mixed_faults_lose_double_and_wedge_nothing(
    results: Mapping[int, Future[Result]], seed: int
) -> None:
    result = results[seed].result()
    print(result.line)  # noqa: T201 - pytest shows it if the test fails
    assert result.findings == []
    assert result.jobs >= JOBS
    assert sum(result.faults.values()) + len(result.skipped) >= 5


def test_a_seed_stands_for_one_schedule() -> None:
    for seed in range(50):
        assert schedule_of(seed) == schedule_of(seed)
        assert schedule_of(seed) != schedule_of(seed + 1)


def test_every_schedule_has_at_least_five_faults_of_several_kinds_on_200_jobs_and_4_workers() -> (
    None
):
    seen: set[str] = set()
    for seed in range(200):
        schedule = schedule_of(seed)
        kinds = {one.kind for one in schedule.faults}
        seen |= kinds
        assert len(schedule.faults) >= 5
        assert len(kinds) >= 3
        assert all(one.at + one.lasts <= schedule.length + 6 for one in schedule.faults)
        assert _enqueued(schedule.deeds) == JOBS
    assert SEATS == 4
    assert seen == set(RECIPES)


def _enqueued(deeds: tuple[Deed, ...]) -> int:
    return sum(len(deed.jobs) for deed in deeds if deed.verb == "enqueue")
