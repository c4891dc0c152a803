"""Handlers that are plain functions, and handlers that work in a session, beside the same by hand."""

from __future__ import annotations

from tests.bench.benchmarks.drain import MEASURES
from tests.bench.draining import drain_fresh
from tests.bench.plan import Plan, attempt
from tests.bench.results import Results, Target
from tests.bench.systems import BY_HAND, OURS, SESSION, SYNC

NAME = "handlers"

_SHARE = {SYNC: 0.4, SESSION: 0.1, BY_HAND: 0.1}
"""How many of the jobs each gets, since they take longer."""

_TARGETS = (
    Target("sync handlers in threads: rate of async ones", "rate", SYNC.name, OURS.name, least=0.3),
    Target("sync handlers in threads: CPU per job", "cpu", SYNC.name, OURS.name),
    Target(
        "session handlers with one UPDATE: rate of the same by hand",
        "rate",
        SESSION.name,
        BY_HAND.name,
        least=0.8,
    ),
    Target("session handlers: CPU of the same by hand", "cpu", SESSION.name, BY_HAND.name),
)
_NOTES = (
    f"{SESSION}: `session.execute(update(...))`; the commit also writes the end of the job.",
    f"{BY_HAND}: `async with sessions.begin()` and the same UPDATE, 15 at a time; no jobs.",
)


def measure(plan: Plan) -> Results:
    """Drain with each kind of handler in turn."""
    title = "handlers in threads and with a session, one worker process"
    results = Results(NAME, title, MEASURES, _TARGETS, _NOTES)
    for system in plan.interleave(NAME, [OURS, SYNC, SESSION, BY_HAND]):
        jobs = max(10, int(plan.jobs * _SHARE.get(system, 1)))
        attempt(results, system.name, lambda s=system, j=jobs: drain_fresh(plan, s, j))  # type: ignore[misc]
    return results
