"""The pace of a worker's jobs, in a time of the test's own."""

import pytest

from soniq_sa.runtime.pace import Pace


@pytest.mark.parametrize("begins_anew", [True, False])
@pytest.mark.parametrize("apart", [0.0, 0.002, 0.005, 0.01, 0.03])
def test_slow_jobs_that_are_over_one_soon_after_the_other_are_not_quick(
    apart: float, *, begins_anew: bool
) -> None:
    """Five at a time take 0.3 seconds: 17 a second."""
    pace = Pace()
    pace.begin(now := 10.0)
    for _ in range(20):
        ended = now + 0.3
        for number in range(5):
            pace.note(1, ended + number * apart)
            assert pace.rate < 25
        now = ended + 4 * apart
        if begins_anew:
            pace.begin(now)


def test_quick_jobs_are_known_to_be_quick_soon_and_slow_ones_after_them_to_be_slow() -> None:
    pace = Pace()
    pace.begin(0)
    for step in range(1, 11):
        pace.note(100, step * 0.01)
    assert 5_000 < pace.rate <= 10_000
    for step in range(11, 201):
        pace.note(100, step * 0.01)
    assert pace.rate == pytest.approx(10_000, rel=0.01)
    pace.note(5, 2.3)
    assert pace.rate < 20


def test_a_pause_counts_for_nothing_and_after_a_long_one_the_pace_is_forgotten() -> None:
    pace = Pace()
    pace.begin(0)
    for step in range(1, 101):
        pace.note(100, step * 0.01)
    known = pace.rate
    pace.begin(1.8)
    assert pace.rate == known
    pace.note(100, 1.81)
    assert pace.rate == pytest.approx(10_000, rel=0.01)
    pace.begin(2.9)
    assert pace.rate == 0
