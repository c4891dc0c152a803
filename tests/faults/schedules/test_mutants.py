"""The suite has teeth: with each of these defects in the workers, it does not stay silent.

For the nightly session: set ``SONIQ_TEST_MUTANTS=1``. The defects are in `mutants`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.faults.schedules.lanes import Lanes, lanes_of
from tests.faults.schedules.mutants import MUTANTS

TRIES = 6
QUIET = 20.0
"""Seconds after which what has not ended is stuck; nobody is to wait long for a defect."""

pytestmark = [
    pytest.mark.skipif(
        "SONIQ_TEST_MUTANTS" not in os.environ, reason="SONIQ_TEST_MUTANTS is not set"
    ),
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def lanes() -> Iterator[Lanes]:
    """Run two schedules at a time."""
    with lanes_of(2) as made:
        yield made


@pytest.mark.parametrize("name", MUTANTS)
def test_a_defect_is_found_within_a_few_schedules(lanes: Lanes, name: str) -> None:
    mutant = MUTANTS[name]
    seen = []
    for seed in range(1, 1 + TRIES, 2):
        orders = [
            {
                "seed": one,
                "kinds": mutant.kinds,
                "lease": mutant.lease,
                "mutant": name,
                "quiet": QUIET,
            }
            for one in (seed, seed + 1)
        ]
        for future in [lanes.play(order) for order in orders]:
            result = future.result()
            print(result.line)  # noqa: T201 - what was found, for who reads the log
            seen += [verdict for verdict, _ in result.findings]
        if mutant.verdict in seen:
            return
    raise AssertionError(f"{mutant.verdict} was not found: {seen}")
