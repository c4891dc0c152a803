"""What a second worker process brings, on the same machine and the same table."""

from __future__ import annotations

from tests.bench.benchmarks.drain import MEASURES
from tests.bench.draining import drain_fresh
from tests.bench.plan import Plan, attempt
from tests.bench.results import Figures, Results, Target
from tests.bench.systems import BEST_RIVAL, OURS, find_rival

NAME = "workers"

_ONE, _TWO = f"{OURS}, one", f"{OURS}, two"
_NOTES = (
    "Each worker is a process of its own; the clock starts when both wait for their first claim.",
    "memory: of both together.",
)


def measure(plan: Plan) -> Results:
    """Empty a queue with one worker and with two, in turn."""
    cases = {_ONE: (OURS, 1), _TWO: (OURS, 2)}
    if best := find_rival(plan.rivals, BEST_RIVAL):
        cases |= {f"{best}, one": (best, 1), f"{best}, two": (best, 2)}
    title = f"{plan.jobs:,} waiting async jobs, one and two worker processes"
    targets = [Target("two worker processes: rate of one", "rate", _TWO, _ONE, least=1.3)]
    if best:
        rate = Target(f"two worker processes: rate of two {best}", "rate", _TWO, f"{best}, two")
        targets.append(rate)
    results = Results(NAME, title, MEASURES, targets, _NOTES)

    def drain(case: str) -> Figures:
        system, workers = cases[case]
        return drain_fresh(plan, system, plan.jobs, workers=workers)

    for case in plan.interleave(NAME, list(cases)):
        attempt(results, case, lambda c=case: drain(c))  # type: ignore[misc]
    return results
