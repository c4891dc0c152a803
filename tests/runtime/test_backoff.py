"""Pauses between tries, through an outage of any length."""

from soniq_sa.link import Backoff


def test_pauses_grow_to_the_longest_and_stay_there_for_days() -> None:
    backoff = Backoff(first=0.1, longest=5.0)
    pauses = [backoff.next() for _ in range(100_000)]
    assert pauses[0] <= 0.1
    assert max(pauses) <= 5.0
    assert min(pauses[10:]) >= 2.5
