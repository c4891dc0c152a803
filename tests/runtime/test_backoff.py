"""Pauses between tries, through an outage of any length."""

import pytest

from soniq_sa.link import LONGEST_PAUSE, Backoff

PROMISED = 3.0
"""Seconds from the moment that the database is ready to the first job; connecting takes its share."""


def test_pauses_grow_to_the_longest_and_stay_there_for_days() -> None:
    backoff = Backoff()
    pauses = [backoff.next() for _ in range(100_000)]
    assert pauses[0] <= 0.1
    assert max(pauses) <= LONGEST_PAUSE <= PROMISED - 1
    assert min(pauses[10:]) >= LONGEST_PAUSE / 2


def test_workers_that_lost_the_database_together_come_back_spread_over_a_second() -> None:
    """Of fifty, after an outage of half a minute, no third comes in one tenth of a second."""
    ready = 30.0
    arrivals = sorted(arrival(ready) - ready for _ in range(50))
    assert arrivals[-1] <= LONGEST_PAUSE
    assert arrivals[-1] - arrivals[0] > 1
    tenths = [int(one * 10) for one in arrivals]
    assert max(map(tenths.count, tenths)) < 15


def arrival(ready: float) -> float:
    """Return when a worker that lost the database at 0 first tries after ``ready``."""
    backoff, now = Backoff(), 0.0
    while now < ready:
        now += backoff.next()
    return now


def test_after_an_answer_the_pauses_are_short_again() -> None:
    backoff = Backoff()
    assert max(backoff.next() for _ in range(10)) > 0.1
    backoff.reset()
    assert backoff.next() <= 0.1


@pytest.mark.parametrize("longest", [0.05, 1.0])
def test_no_pause_is_longer_than_it_may_be(longest: float) -> None:
    backoff = Backoff(longest=longest)
    assert max(backoff.next() for _ in range(100)) <= longest
