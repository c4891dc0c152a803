"""The numbers that the runs of one measurement give."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

Samples = Mapping[str, Sequence[float]]
"""By the name of the figure, one number a run; inf: it did not happen before the deadline."""


def repeated(runs: Iterable[int], once: Callable[[], Mapping[str, float]]) -> Samples:
    """Return what all runs give."""
    samples: dict[str, list[float]] = {}
    for _ in runs:
        for name, value in once().items():
            samples.setdefault(name, []).append(value)
    return samples
